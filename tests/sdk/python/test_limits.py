"""Limits, many requests at once, and what they cost."""

import asyncio

import openai
import pytest

from conftest import HI, ask, make_client, usage
from processes import wait_until


async def outcomes(gateway, key, count, **options):
    """How many of `count` concurrent requests were answered, and how many were refused by a limit."""
    async with openai.AsyncOpenAI(api_key=key, base_url=gateway.base_url, max_retries=0) as client:
        answers = await asyncio.gather(*(ask(client, **options) for _ in range(count)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, openai.RateLimitError)]
    answered = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(refused) + len(answered) == count, [answer for answer in answers if answer not in refused + answered]
    return len(answered), len(refused)


async def test_fifty_at_once(async_client):
    async def one(number):
        said = f"the answer to {number}"
        answer = await ask(async_client, simulate={"content": said, "delay_ms": 100})
        assert answer.choices[0].message.content == said

    await asyncio.gather(*(one(number) for number in range(50)))


async def test_fifty_streams_at_once(async_client):
    async def one(number):
        said = f"the answer to {number} in pieces"
        stream = await ask(async_client, stream=True, simulate={"content": said, "chunk_delay_ms": 5})
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == said

    await asyncio.gather(*(one(number) for number in range(50)))


def test_requests_a_minute(gateway):
    client = make_client(gateway, gateway.key(rpm_limit=2))
    left = []
    for _ in range(2):
        answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HI)
        left.append(answer.headers["x-ratelimit-api_key-remaining-requests"])
    assert left == ["1", "0"]
    with pytest.raises(openai.RateLimitError) as raised:
        ask(client)
    error = raised.value
    assert error.type == "throttling_error"
    assert error.body["message"].startswith("Rate limit exceeded for api_key: ")
    assert 1 <= int(error.response.headers["retry-after"]) <= 60
    assert error.response.headers["rate_limit_type"] == "requests"


async def test_exactly_as_many_as_the_limit_pass(gateway):
    assert await outcomes(gateway, gateway.key(rpm_limit=10), 60, simulate={"delay_ms": 50}) == (10, 50)


async def test_exactly_as_many_as_may_run_at_once(gateway):
    key = gateway.key(max_parallel_requests=7)
    assert await outcomes(gateway, key, 40, simulate={"delay_ms": 1500}) == (7, 33)
    # All slots are free again.
    assert await outcomes(gateway, key, 7) == (7, 0)


async def test_a_limit_of_tokens(gateway):
    # Each reserves its 100 tokens of output and a few of input.
    answered, refused = await outcomes(gateway, gateway.key(tpm_limit=1000), 30, max_tokens=100, simulate={"delay_ms": 300})
    assert 7 <= answered <= 9 and refused == 30 - answered


async def test_concurrency_does_not_overrun_a_budget(gateway):
    # One call costs 0.12; the budget has room for a few. Those that begin together hold what they may cost.
    key = gateway.key(max_budget=0.5)
    async with openai.AsyncOpenAI(api_key=key, base_url=gateway.base_url, max_retries=0) as client:
        answers = await asyncio.gather(
            *(ask(client, model="priced", max_tokens=60, simulate={"delay_ms": 200, "usage": usage(0, 60)}) for _ in range(40)),
            return_exceptions=True)
    answered = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, openai.UnprocessableEntityError)]
    assert len(answered) + len(refused) == 40, answers
    # 60 tokens of output at $0.002 and at least one of input held: four fit, and the hold of a fifth shrinks to the rest.
    assert 4 <= len(answered) <= 5
    spend = wait_until(lambda: gateway.key_info(key)["spend"], what="booked spend")
    assert spend <= 0.12 * len(answered) + 1e-9


def test_spend_is_booked_to_the_nano_dollar(gateway):
    key = gateway.key(max_budget=100)
    client = make_client(gateway, key)
    answer = ask(client, model="priced", simulate={"usage": usage(123, 45)})
    stream = ask(client, model="priced", stream=True, simulate={"usage": usage(7, 8)})
    streamed = [chunk.id for chunk in stream][0]
    expected = {answer.id: 0.213, streamed: 0.023}

    def logs():
        status, rows = gateway.call(f"/spend/logs?api_key={key}")
        assert status == 200, rows
        return rows if len(rows) == 2 else None

    rows = wait_until(logs, what="two rows")
    assert {row["request_id"]: row["spend"] for row in rows} == expected
    assert {row["total_tokens"] for row in rows} == {168, 15}
    assert gateway.key_info(key)["spend"] == 0.236
    status, one = gateway.call(f"/spend/logs?request_id={answer.id}")
    assert (status, [row["request_id"] for row in one]) == (200, [answer.id])
