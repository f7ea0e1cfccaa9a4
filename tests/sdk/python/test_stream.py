"""Streams."""

import time

import openai
import pytest

from conftest import HI, ask, make_client, usage
from processes import wait_until


def text(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_stream(client, simulator):
    simulator.requests()
    chunks = list(ask(client, model="house-model", stream=True, simulate={"content": "one two three"}))
    assert text(chunks) == "one two three"
    assert {chunk.model for chunk in chunks} == {"house-model"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    # The gateway asks for usage because spend depends on it; a client that did not ask sees none of it.
    assert simulator.requests()[0]["body"]["stream_options"] == {"include_usage": True}
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)


def test_a_stream_with_usage(client):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True},
                      simulate={"content": "one two", "usage": usage(7, 2)}))
    assert text(chunks) == "one two"
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (7, 2)


@pytest.mark.parametrize("split", ["every_byte", {"random": 7}])
def test_pieces_of_any_size(client, split):
    words = "Zürich 😀 — schön, “wirklich”! " * 5
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True},
                      simulate={"content": words, "split": split, "crlf": True, "comments": True}))
    assert text(chunks) == words
    assert chunks[-1].usage.total_tokens > 0


def test_tool_calls_in_a_stream(client):
    arguments = '{"city": "Zürich"}'
    calls = [{"id": "call_1", "name": "weather", "arguments": arguments}]
    name, told = "", ""
    for chunk in ask(client, stream=True, simulate={"tool_calls": calls, "chunk_bytes": 3}):
        for call in chunk.choices[0].delta.tool_calls or []:
            name += call.function.name or ""
            told += call.function.arguments or ""
    assert (name, told) == ("weather", arguments)


def test_several_choices_in_a_stream(client):
    said = {0: "", 1: ""}
    for chunk in ask(client, stream=True, n=2, simulate={"content": "a b c"}):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
    assert said == {0: "a b c", 1: "a b c"}


def test_the_sdks_stream_helper(client):
    with client.chat.completions.stream(
        model="gpt-4o", messages=HI, extra_body={"simulate": {"content": "one two"}}
    ) as stream:
        assert "".join(event.delta for event in stream if event.type == "content.delta") == "one two"
        assert stream.get_final_completion().choices[0].message.content == "one two"


def test_chunks_come_when_they_are_sent(client):
    moments = []
    for chunk in ask(client, stream=True, simulate={"chunks": 10, "chunk_bytes": 4, "chunk_delay_ms": 30}):
        if chunk.choices[0].delta.content:
            moments.append(time.monotonic())
    gaps = [after - before for before, after in zip(moments, moments[1:])]
    assert len(gaps) == 9
    assert sum(gaps) > 0.2, "they came all at once"
    # 40 ms more is what a connection without TCP_NODELAY shows; the median forgives a busy machine.
    assert sorted(gaps)[4] < 0.06, gaps


def test_headers_of_a_stream(client):
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=HI, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-litellm-model-id"] == "gpt-4o-at-simulator"
    assert answer.headers["x-litellm-call-id"]
    # Not known before the end, so not told.
    assert "x-litellm-response-cost" not in answer.headers
    assert text(list(answer.parse()))


def test_a_failure_before_the_first_chunk_is_an_http_error(client):
    with pytest.raises(openai.InternalServerError):
        ask(client, stream=True, simulate={"status": 503})


def test_an_error_in_the_middle_is_told_once(client):
    said = []
    with pytest.raises(openai.APIError) as raised:
        for chunk in ask(client, stream=True, simulate={"content": "a b c d", "error_mid_stream": {"after_chunks": 2}}):
            said.append(chunk)
    assert text(said) == "a b "
    assert "The server had an error" in str(raised.value)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_cut_stream_is_an_error_and_no_short_answer(client, how):
    said = []
    with pytest.raises(openai.APIError):
        for chunk in ask(client, stream=True, simulate={
            "content": "a b c d e f", "chunk_delay_ms": 10, "cut_after_bytes": 1000, "cut_with": how
        }):
            said.append(chunk)
    assert "a b c d e f".startswith(text(said))


@pytest.mark.parametrize("model, simulate", [
    ("leaving", {"chunks": 2000, "chunk_bytes": 8, "chunk_delay_ms": 10}),
    # Nothing arrives whose forwarding could fail.
    ("silent", {"chunks": 100, "chunk_bytes": 8, "silent_after_chunks": 3}),
])
def test_a_client_that_leaves_ends_the_upstream_call(gateway, simulator, model, simulate):
    key = gateway.key(max_parallel_requests=1)
    client = make_client(gateway, key)
    stream = ask(client, model=model, stream=True, simulate=simulate)
    for _ in zip(range(3), stream):
        pass
    assert simulator.hangups(model) == []
    with pytest.raises(openai.RateLimitError):
        ask(client)
    left = time.monotonic()
    stream.close()
    wait_until(lambda: simulator.hangups(model), patience=5, what="the upstream's end")
    assert time.monotonic() - left < 1
    # Its slot is free again.
    wait_until(lambda: answers(client), patience=1, what="the slot")


def answers(client):
    try:
        return ask(client)
    except openai.RateLimitError:
        return None
