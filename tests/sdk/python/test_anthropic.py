"""Anthropic's SDK, whose users put the gateway's address in place of Anthropic's, over each kind of upstream."""

import json

import anthropic
import pytest

from conversations import ARGUMENTS, TEXT, THOUGHT, UPSTREAMS
from processes import MASTER_KEY

HI = [{"role": "user", "content": "Hi"}]
TOOLS = [{"name": "weather", "description": "The weather.", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}]
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture
def client(gateway):
    with anthropic.Anthropic(api_key=MASTER_KEY, base_url=gateway.address, max_retries=0) as client:
        yield client


@pytest.fixture(params=UPSTREAMS)
def upstream(request):
    return request.param


def ask(client, upstream, conversation="text", **options):
    return client.messages.create(**{
        "model": f"{upstream}-{conversation}", "max_tokens": 4000, "messages": HI, **options})


def of_type(message, kind):
    return [block for block in message.content if block.type == kind]


def test_a_message(client, upstream):
    message = ask(client, upstream)
    assert [block.text for block in message.content] == [TEXT]
    assert (message.type, message.role, message.model, message.stop_reason) == (
        "message", "assistant", f"{upstream}-text", "end_turn")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (100, 40, 30)


def test_a_raw_stream(client, upstream):
    said, kinds = "", []
    for event in ask(client, upstream, stream=True):
        kinds.append(event.type)
        if event.type == "content_block_delta":
            said += event.delta.text
    assert said == TEXT
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]


def test_the_stream_helper(client, upstream):
    with client.messages.stream(model=f"{upstream}-text", max_tokens=4000, messages=HI) as stream:
        assert "".join(stream.text_stream) == TEXT
        message = stream.get_final_message()
    assert message.usage.output_tokens == 30
    assert message.stop_reason == "end_turn"


async def test_the_asynchronous_client(gateway, upstream):
    async with anthropic.AsyncAnthropic(api_key=MASTER_KEY, base_url=gateway.address, max_retries=0) as client:
        message = await client.messages.create(model=f"{upstream}-text", max_tokens=100, messages=HI)
        assert message.content[0].text == TEXT
        async with client.messages.stream(model=f"{upstream}-text", max_tokens=100, messages=HI) as stream:
            assert "".join([text async for text in stream.text_stream]) == TEXT


def test_a_token_in_place_of_a_key(gateway):
    client = anthropic.Anthropic(auth_token=MASTER_KEY, base_url=gateway.address, max_retries=0)
    assert ask(client, "chat").content[0].text == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_of_tools_with_thoughts(client, simulator, upstream, stream):
    def turn(messages):
        options = {"model": f"{upstream}-tools", "max_tokens": 4000, "messages": messages, "tools": TOOLS, "thinking": THINKING}
        if not stream:
            return client.messages.create(**options)
        with client.messages.stream(**options) as events:
            return events.get_final_message()

    asked = turn(HI)
    assert asked.stop_reason == "tool_use"
    (call,) = of_type(asked, "tool_use")
    assert (call.name, call.input) == ("weather", json.loads(ARGUMENTS))
    assert [block.text for block in of_type(asked, "text")] == ["One moment."]
    assert "".join(block.thinking for block in of_type(asked, "thinking")) == THOUGHT
    simulator.requests()
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "rain"}]
    told = turn([*HI, {"role": "assistant", "content": asked.content}, {"role": "user", "content": results}])
    assert (told.content[-1].text, told.stop_reason) == ("Rain.", "end_turn")
    assert "rain" in json.dumps(simulator.requests()[0]["body"])


def test_signatures_come_and_go_unchanged(client, simulator):
    asked = ask(client, "messages", "tools", tools=TOOLS, thinking=THINKING)
    (thought,) = of_type(asked, "thinking")
    simulator.requests()
    results = [{"type": "tool_result", "tool_use_id": "toolu_01A", "content": "rain"}]
    ask(client, "messages", "tools", tools=TOOLS, thinking=THINKING, messages=[
        *HI, {"role": "assistant", "content": asked.content}, {"role": "user", "content": results}])
    sent = simulator.requests()[0]["body"]["messages"][1]["content"][0]
    assert (sent["thinking"], sent["signature"]) == (THOUGHT, thought.signature)


def test_cut_at_the_most_tokens(client, upstream):
    assert ask(client, upstream, "cut").stop_reason == "max_tokens"


def test_tokens_are_counted(client, upstream):
    short = client.messages.count_tokens(model=f"{upstream}-text", messages=HI)
    long = client.messages.count_tokens(
        model=f"{upstream}-text", system="Be brief.", tools=TOOLS, messages=[{"role": "user", "content": "Hi " * 200}])
    assert 0 < short.input_tokens < long.input_tokens


def test_the_list_of_models(client):
    names = [model.id for model in client.models.list(limit=1000)]
    assert {"messages-text", "chat-text"} <= set(names)
    assert client.models.retrieve("chat-text").id == "chat-text"


@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_limit(client, upstream, stream):
    with pytest.raises(anthropic.RateLimitError) as raised:
        ask(client, upstream, "limited", stream=stream)
    assert raised.value.body["error"]["type"] == "rate_limit_error"
    assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("stream", [False, True])
def test_an_overloaded_provider(client, upstream, stream):
    with pytest.raises(anthropic.InternalServerError) as raised:
        ask(client, upstream, "overloaded", stream=stream)
    assert raised.value.body["type"] == "error"


def test_a_wrong_key(gateway):
    stranger = anthropic.Anthropic(api_key="sk-nobody-has-this-key", base_url=gateway.address, max_retries=0)
    with pytest.raises(anthropic.AuthenticationError) as raised:
        ask(stranger, "messages")
    assert raised.value.body["error"]["type"] == "authentication_error"


def test_a_model_that_nobody_has(client):
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(model="no-such-model", max_tokens=10, messages=HI)
    assert raised.value.status_code in (400, 404)
    assert "no-such-model" in raised.value.body["error"]["message"]


def test_a_request_that_makes_no_sense(client):
    wrong = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9", "content": "x"}]}]
    with pytest.raises(anthropic.BadRequestError) as raised:
        ask(client, "messages", messages=wrong, tools=TOOLS)
    assert "messages" in raised.value.body["error"]["message"]


def test_an_error_in_the_middle_of_a_stream(client, upstream):
    said = ""
    with pytest.raises(anthropic.APIStatusError) as raised:
        with client.messages.stream(model=f"{upstream}-broken", max_tokens=100, messages=HI) as stream:
            for text in stream.text_stream:
                said += text
    assert said == "a b "
    assert raised.value.body["error"]["message"]
