"""Every event and every answer against the types of the providers' own SDKs, strictly: no missing field, no wrong type.

The SDKs themselves check nothing: they take what they find. Other clients are less forgiving.
"""

import json

import anthropic.types
import httpx
import openai.types.chat
import openai.types.responses
import pydantic
import pytest

from conversations import UPSTREAMS
from processes import MASTER_KEY

CALL = {"type": "object", "properties": {"city": {"type": "string"}}}

# Path, body, the type of an answer, the type of an event.
PROTOCOLS = {
    "chat": (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Hi"}], "reasoning_effort": "low", "stream_options": {"include_usage": True},
         "tools": [{"type": "function", "function": {"name": "weather", "parameters": CALL}}]},
        openai.types.chat.ChatCompletion, openai.types.chat.ChatCompletionChunk),
    "messages": (
        "/v1/messages",
        {"max_tokens": 4000, "messages": [{"role": "user", "content": "Hi"}],
         "thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": [{"name": "weather", "input_schema": CALL}]},
        anthropic.types.Message, anthropic.types.RawMessageStreamEvent),
    "responses": (
        "/v1/responses",
        {"input": "Hi", "store": False, "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
         "tools": [{"type": "function", "name": "weather", "strict": False, "parameters": CALL}]},
        openai.types.responses.Response, openai.types.responses.ResponseStreamEvent),
}


def ask(gateway, protocol, upstream, conversation, stream):
    path, body, *_ = PROTOCOLS[protocol]
    body = {**body, "model": f"{upstream}-{conversation}", "stream": stream}
    if not stream:
        body.pop("stream_options", None)
    if conversation != "tools":
        for field in ["thinking", "reasoning", "reasoning_effort"]:
            body.pop(field, None)
    headers = {"Authorization": f"Bearer {MASTER_KEY}", "anthropic-version": "2023-06-01"}
    answer = httpx.post(gateway.address + path, json=body, headers=headers, timeout=15)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("conversation", ["text", "tools", "cut", "parsed"])
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_answer(gateway, protocol, upstream, conversation):
    answer = ask(gateway, protocol, upstream, conversation, stream=False)
    pydantic.TypeAdapter(PROTOCOLS[protocol][2]).validate_json(answer.content, strict=True)


@pytest.mark.parametrize("conversation", ["text", "tools", "cut", "parsed"])
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_event(gateway, protocol, upstream, conversation):
    kind = pydantic.TypeAdapter(PROTOCOLS[protocol][3])
    answer = ask(gateway, protocol, upstream, conversation, stream=True)
    frames = [frame for frame in answer.text.split("\n\n") if frame and not frame.startswith(":")]
    for frame in frames:
        *names, data = frame.split("\n")
        data = data.removeprefix("data: ")
        if data == "[DONE]":
            continue
        event = json.loads(data)
        if protocol == "messages" and event["type"] == "ping":
            continue
        # What only this upstream knows passes through.
        if event.get("type") in ("weather_report", "response.weather.reported"):
            continue
        try:
            kind.validate_json(data, strict=True)
        except pydantic.ValidationError as error:
            raise AssertionError(f"{data}\n{error}") from None
        if protocol != "chat":
            assert names == [f"event: {event['type']}"]
