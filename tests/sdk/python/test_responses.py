"""OpenAI's SDK and its Responses API, over each kind of upstream."""

import json

import openai
import pydantic
import pytest

from conversations import ARGUMENTS, TEXT, THOUGHT, UPSTREAMS

TOOLS = [{"type": "function", "name": "weather", "description": "The weather.", "strict": False, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}]
THINKING = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"], "store": False}


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture(params=UPSTREAMS)
def upstream(request):
    return request.param


def ask(client, upstream, conversation="text", **options):
    return client.responses.create(**{"model": f"{upstream}-{conversation}", "input": "Hi", "store": False, **options})


def test_a_response(client, upstream):
    response = ask(client, upstream)
    assert (response.output_text, response.status, response.model) == (TEXT, "completed", f"{upstream}-text")
    usage = response.usage
    assert (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens) == (140, 40, 30)
    assert usage.total_tokens == 170


def test_a_raw_stream(client, upstream):
    events = list(ask(client, upstream, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    assert events[-1].response.output_text == TEXT


def test_the_stream_helper(client, upstream):
    with client.responses.stream(model=f"{upstream}-text", input="Hi", store=False) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    assert said == response.output_text == TEXT


async def test_the_asynchronous_client(async_client, upstream):
    response = await async_client.responses.create(model=f"{upstream}-text", input="Hi", store=False)
    assert response.output_text == TEXT
    async with async_client.responses.stream(model=f"{upstream}-text", input="Hi", store=False) as stream:
        async for _ in stream:
            pass
        assert (await stream.get_final_response()).output_text == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_of_tools_with_thoughts(client, simulator, upstream, stream):
    def turn(items):
        options = {"model": f"{upstream}-tools", "input": items, "tools": TOOLS, **THINKING}
        if not stream:
            return client.responses.create(**options)
        with client.responses.stream(**options) as events:
            events.until_done()
            return events.get_final_response()

    items = [{"role": "user", "content": "Hi"}]
    asked = turn(items)
    (call,) = [item for item in asked.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("weather", json.loads(ARGUMENTS))
    assert asked.output_text == "One moment."
    thoughts = [item for item in asked.output if item.type == "reasoning"]
    assert "".join(part.text for item in thoughts for part in [*item.summary, *(item.content or [])]) == THOUGHT
    simulator.requests()
    back = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in asked.output]
    told = turn([*items, *back, {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}])
    assert told.output_text == "Rain."
    assert "rain" in json.dumps(simulator.requests()[0]["body"])


def test_a_parsed_answer(client, simulator, upstream):
    simulator.requests()
    response = client.responses.parse(model=f"{upstream}-parsed", input="Bern", text_format=City, store=False)
    assert response.output_parsed == City(name="Bern", people=134506)
    assert "people" in json.dumps(simulator.requests()[0]["body"])


def test_cut_at_the_most_tokens(client, upstream):
    response = ask(client, upstream, "cut", max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("conversation, expected", [("limited", openai.RateLimitError), ("overloaded", openai.InternalServerError)])
def test_errors(client, upstream, conversation, expected, stream):
    with pytest.raises(expected) as raised:
        ask(client, upstream, conversation, stream=stream)
    assert raised.value.body["message"]


def test_an_error_in_the_middle_of_a_stream(client, upstream):
    said, last = "", None
    try:
        for event in ask(client, upstream, "broken", stream=True):
            last = event
            if event.type == "response.output_text.delta":
                said += event.delta
    except openai.APIError as error:
        assert error.message
    else:
        assert last.type == "response.failed" and last.response.error.message
    assert said == "a b "


def test_a_history_that_is_kept(client, upstream):
    first = client.responses.create(model=f"{upstream}-tools", input="Hi", tools=TOOLS)
    call = next(item for item in first.output if item.type == "function_call")
    then = client.responses.create(
        model=f"{upstream}-tools", previous_response_id=first.id, tools=TOOLS,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}])
    assert then.output_text == "Rain."
    assert client.responses.retrieve(then.id).output_text == "Rain."
    assert client.responses.input_items.list(first.id).data
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
