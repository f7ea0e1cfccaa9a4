"""LangChain, whose users put a gateway's address in place of OpenAI's and change nothing else."""

import base64

import langchain_core.messages as messages
import openai
import pydantic
import pytest
from langchain_core.exceptions import ContextOverflowError
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from processes import MASTER_KEY


@pytest.fixture
def model(gateway):
    def make(simulate=None, **options):
        extra = {"simulate": simulate} if simulate else None
        return ChatOpenAI(**{"model": "gpt-4o", "base_url": gateway.base_url, "api_key": MASTER_KEY, "max_retries": 0,
                             "extra_body": extra, **options})

    return make


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"rain in {city}"


class City(pydantic.BaseModel):
    """A city."""

    name: str
    people: int


BERN = '{"name": "Bern", "people": 134506}'
CALLS = [{"id": "call_1", "name": "weather", "arguments": '{"city": "Zürich"}'},
         {"id": "call_2", "name": "weather", "arguments": '{"city": "Köln 😀"}'}]


def test_an_answer(model):
    answer = model({"content": "Grüezi!"}).invoke([("system", "Be short."), ("human", "Hi")])
    assert answer.text == "Grüezi!"
    assert answer.usage_metadata["total_tokens"] == answer.response_metadata["token_usage"]["total_tokens"] > 0
    assert answer.response_metadata["model_name"] == "gpt-4o"
    assert answer.response_metadata["finish_reason"] == "stop"


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream(model, usage):
    whole = None
    for chunk in model({"content": "one two three 😀", "split": "every_byte"}, stream_usage=usage).stream("Hi"):
        whole = chunk if whole is None else whole + chunk
    assert whole.text == "one two three 😀"
    assert whole.response_metadata["finish_reason"] == "stop"
    assert bool(whole.usage_metadata) == usage


# LangChain keeps one client for all models, and with it the loop of its first use.
@pytest.mark.asyncio(loop_scope="module")
async def test_an_async_stream(model):
    said = [chunk.text async for chunk in model({"content": "one two"}).astream("Hi")]
    assert "".join(said) == "one two"


def test_a_batch(model):
    answers = model({"content": "yes"}).batch([f"Question {number}" for number in range(20)], {"max_concurrency": 10})
    assert [answer.text for answer in answers] == ["yes"] * 20


@pytest.mark.asyncio(loop_scope="module")
async def test_an_async_batch(model):
    answers = await model({"content": "yes"}).abatch(["Hi"] * 20)
    assert [answer.text for answer in answers] == ["yes"] * 20


def test_the_loop_of_tools(model, simulator):
    turn = [messages.HumanMessage("What about the weather?")]
    asked = model({"tool_calls": CALLS}).bind_tools([weather], parallel_tool_calls=True).invoke(turn)
    assert [call["args"]["city"] for call in asked.tool_calls] == ["Zürich", "Köln 😀"]
    turn += [asked, *(weather.invoke(call) for call in asked.tool_calls)]
    simulator.requests()
    assert model({"content": "Rain."}).bind_tools([weather]).invoke(turn).text == "Rain."
    sent = simulator.requests()[0]["body"]["messages"]
    assert [(message["role"], message.get("tool_call_id")) for message in sent] == [
        ("user", None), ("assistant", None), ("tool", "call_1"), ("tool", "call_2")]
    assert [message["content"] for message in sent[2:]] == ["rain in Zürich", "rain in Köln 😀"]


def test_tools_in_a_stream(model):
    whole = None
    for chunk in model({"tool_calls": CALLS, "chunk_bytes": 3, "interleave_tool_calls": True}).bind_tools([weather]).stream("Hi"):
        whole = chunk if whole is None else whole + chunk
    assert [(call["id"], call["args"]["city"]) for call in whole.tool_calls] == [("call_1", "Zürich"), ("call_2", "Köln 😀")]


@pytest.mark.parametrize("method, simulate", [
    ("json_schema", {"content": BERN}),
    ("json_mode", {"content": BERN}),
    ("function_calling", {"tool_calls": [{"id": "call_1", "name": "City", "arguments": BERN}]}),
])
def test_structured_output(model, simulator, method, simulate):
    simulator.requests()
    assert model(simulate).with_structured_output(City, method=method).invoke("Bern, as JSON") == City(name="Bern", people=134506)
    body = simulator.requests()[0]["body"]
    if method == "function_calling":
        assert body["tool_choice"] == {"type": "function", "function": {"name": "City"}}
    else:
        assert body["response_format"]["type"] == {"json_schema": "json_schema", "json_mode": "json_object"}[method]


def test_structured_output_in_a_stream(model):
    last = None
    for last in model({"content": BERN, "chunk_bytes": 4}).with_structured_output(City, method="json_schema").stream("Bern"):
        pass
    assert last == City(name="Bern", people=134506)


def test_a_picture(model, simulator):
    simulator.requests()
    data = base64.b64encode(b"\x89PNG").decode()
    model().invoke([messages.HumanMessage([
        {"type": "text", "text": "What is it?"}, {"type": "image", "base64": data, "mime_type": "image/png"}])])
    part = simulator.requests()[0]["body"]["messages"][0]["content"][1]
    assert part == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def test_probabilities(model):
    answer = model({"content": "Hi there"}, logprobs=True, top_logprobs=2).invoke("Hi")
    assert [token["token"] for token in answer.response_metadata["logprobs"]["content"]] == ["Hi ", "there"]


@pytest.mark.parametrize("status, expected", [(401, openai.AuthenticationError), (429, openai.RateLimitError), (503, openai.InternalServerError)])
@pytest.mark.parametrize("stream", [False, True])
def test_errors(model, status, expected, stream):
    with pytest.raises(expected):
        asked = model({"status": status})
        list(asked.stream("Hi")) if stream else asked.invoke("Hi")


def test_its_fallbacks(model):
    chain = model({"status": 503}).with_fallbacks([model({"content": "from the second"})])
    assert chain.invoke("Hi").text == "from the second"


@pytest.mark.parametrize("said", [
    {"message": "This model's maximum context length is 8 tokens.", "type": "invalid_request_error", "code": "context_length_exceeded"},
    {"message": "the input tokens exceed what this model takes"},
    {"message": "Please reduce the length of your prompt"},
    {"message": "context window of 8192 is over its limit"},
])
@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_too_long(model, said, stream):
    """In whatever words the provider says it, LangChain raises its own error for it, so that agents make their prompts shorter."""
    too_long = model({"status": 400, "body": {"error": said}})
    with pytest.raises(ContextOverflowError) as raised:
        list(too_long.stream("Hi")) if stream else too_long.invoke("Hi")
    assert isinstance(raised.value, openai.BadRequestError)


def test_another_bad_request_is_no_overflow(model):
    with pytest.raises(openai.BadRequestError) as raised:
        model({"status": 400, "body": {"error": {"message": "temperature is out of range"}}}).invoke("Hi")
    assert not isinstance(raised.value, ContextOverflowError)
