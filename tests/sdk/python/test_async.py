"""The asynchronous client: the same requests by another way through the SDK."""

import openai
import pytest

from conftest import HI, ask

CALLS = [{"id": "call_a", "name": "f", "arguments": '{"x": "ü"}'}, {"id": "call_b", "name": "g", "arguments": "{}"}]


async def test_an_answer(async_client):
    answer = await ask(async_client, simulate={"content": "Grüezi!"})
    assert answer.choices[0].message.content == "Grüezi!"


async def test_a_stream_with_usage(async_client):
    chunks = [chunk async for chunk in await ask(
        async_client, stream=True, stream_options={"include_usage": True}, simulate={"content": "a b", "split": "every_byte"})]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "a b"
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0


async def test_tool_calls_in_a_stream(async_client):
    how = {"tool_calls": CALLS, "chunk_bytes": 1, "interleave_tool_calls": True}
    async with async_client.chat.completions.stream(model="gpt-4o", messages=HI, extra_body={"simulate": how}) as stream:
        message = (await stream.get_final_completion()).choices[0].message
    assert [(call.id, call.function.arguments) for call in message.tool_calls] == [
        (call["id"], call["arguments"]) for call in CALLS]


async def test_headers(async_client):
    answer = await async_client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HI)
    assert answer.headers["x-litellm-model-id"] == "gpt-4o-at-simulator"


async def test_models(async_client):
    assert "house-model" in [model.id async for model in async_client.models.list()]


@pytest.mark.parametrize("stream", [False, True])
async def test_errors(async_client, stream):
    with pytest.raises(openai.RateLimitError) as raised:
        await ask(async_client, stream=stream, simulate={"status": 429})
    assert (raised.value.code, raised.value.type) == ("429", "throttling_error")


async def test_an_error_in_the_middle(async_client):
    with pytest.raises(openai.APIError):
        async for _ in await ask(async_client, stream=True, simulate={"content": "a b c", "error_mid_stream": {"after_chunks": 1}}):
            pass
