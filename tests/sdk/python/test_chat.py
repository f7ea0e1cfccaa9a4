"""Whole answers."""

import json

import openai
import pydantic
import pytest

from conftest import HI, ask
from processes import MASTER_KEY, PROVIDER_KEY


def test_an_answer(client):
    answer = ask(client, simulate={"content": "Good morning!", "usage": {
        "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 1}}})
    assert answer.choices[0].message.content == "Good morning!"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.id.startswith("chatcmpl-")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 3, 12)
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    assert answer.usage.completion_tokens_details.reasoning_tokens == 1


def test_the_client_sees_its_own_name_of_the_model(client, simulator):
    simulator.requests()
    assert ask(client, model="house-model").model == "house-model"
    assert [request["model"] for request in simulator.requests()] == ["gpt-4o-mini"]


def test_an_alias(client):
    assert ask(client, model="default").choices[0].message.content


def test_the_gateways_key_stays_here_and_the_providers_goes_there(client, simulator):
    simulator.requests()
    ask(client)
    (request,) = simulator.requests()
    assert request["headers"]["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert MASTER_KEY not in json.dumps(request)
    assert not [name for name in request["headers"] if name.startswith("x-stainless")]


def test_all_parameters_arrive_as_they_were_sent(client, simulator):
    simulator.requests()
    sent = {
        "temperature": 0.1, "top_p": 0.30000000000000004, "seed": 9007199254740993, "stop": ["\n\n", "😀"],
        "logit_bias": {"50256": -100}, "max_completion_tokens": 17, "metadata": {"a": "b"}, "store": True, "user": "u-1",
        "service_tier": "default", "store": True,
    }
    unknown = {"vendor_field": {"deep": [1, 2.50, None, {"": "\u0000"}]}, "another": 12345678901234567890}
    ask(client, **sent, extra_body=unknown)
    (request,) = simulator.requests()
    assert request["path"] == "/v1/chat/completions"
    body = request["body"]
    assert {name: body[name] for name in [*sent, *unknown]} == sent | unknown
    assert set(body) == {"model", "messages", *sent, *unknown}


def test_a_parameter_that_the_model_does_not_know(client, simulator):
    simulator.requests()
    with pytest.raises(openai.BadRequestError, match="reasoning_effort"):
        ask(client, reasoning_effort="low")
    assert simulator.requests() == []
    ask(client, reasoning_effort="low", extra_body={"drop_params": True})
    ask(client, reasoning_effort="low", extra_body={"allowed_openai_params": ["reasoning_effort"]})
    bodies = [request["body"] for request in simulator.requests()]
    assert [body.get("reasoning_effort") for body in bodies] == [None, "low"]
    assert all(set(body) <= {"model", "messages", "reasoning_effort"} for body in bodies)


def test_tools(client, simulator):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
    arguments = '{"city": "Zürich", "note": "a \\"quoted\\" word"}'
    calls = [{"id": "call_1", "name": "weather", "arguments": arguments},
             {"id": "call_2", "name": "weather", "arguments": "{not json"}]
    simulator.requests()
    answer = ask(client, tools=tools, tool_choice="required", simulate={"tool_calls": calls})
    assert simulator.requests()[0]["body"]["tools"] == tools
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    told = answer.choices[0].message.tool_calls
    assert [(call.id, call.function.name, call.function.arguments) for call in told] == [
        (call["id"], call["name"], call["arguments"]) for call in calls]
    # The next turn brings the result back.
    turn = [*HI, answer.choices[0].message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]
    assert ask(client, messages=turn, tools=tools).choices[0].finish_reason == "stop"


def test_a_json_schema(client, simulator):
    class City(pydantic.BaseModel):
        name: str
        people: int

    simulator.requests()
    answer = client.chat.completions.parse(
        model="gpt-4o", messages=HI, response_format=City,
        extra_body={"simulate": {"content": '{"name": "Bern", "people": 134506}'}})
    assert answer.choices[0].message.parsed == City(name="Bern", people=134506)
    asked = simulator.requests()[0]["body"]["response_format"]
    assert asked["type"] == "json_schema" and asked["json_schema"]["strict"] is True


def test_several_choices(client):
    answer = ask(client, n=2, simulate={"content": "twice"})
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [(0, "twice"), (1, "twice")]


def test_log_probabilities_and_fields_nobody_knows_come_back(client):
    probability = {"token": "Hi", "logprob": -0.0012345678901234, "bytes": [72, 105], "top_logprobs": []}
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06", "usage": {
            "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "vendor_tokens": 3},
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": {"content": [probability], "refusal": None},
                     "message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}}],
        "vendor": {"queue_ms": 1.25}}
    answer = ask(client, logprobs=True, top_logprobs=0, simulate={"body": body})
    assert answer.choices[0].logprobs.content[0].logprob == probability["logprob"]
    # All but the model's name is as the provider sent it.
    assert json.loads(answer.to_json(exclude_unset=True)) == body | {"model": "gpt-4o"}


def test_a_large_body(client, simulator):
    simulator.requests()
    text = "Zürich ist schön. 😀 " * 10_000
    ask(client, messages=[{"role": "user", "content": text}])
    assert simulator.requests()[0]["body"]["messages"][0]["content"] == text


def test_headers(client):
    answer = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=HI, extra_headers={"x-litellm-call-id": "call-of-my-own"},
        extra_body={"simulate": {"usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}})
    headers = answer.headers
    # gpt-4o: $2.50 and $10 a million.
    assert float(headers["x-litellm-response-cost"]) == 0.0035
    assert headers["x-litellm-call-id"] == "call-of-my-own"
    assert headers["x-litellm-model-id"] == "gpt-4o-at-simulator"
    assert headers["x-litellm-model-group"] == "gpt-4o"
    assert 0 <= float(headers["x-litellm-overhead-duration-ms"]) < 1000
    assert float(headers["x-litellm-response-duration-ms"]) > 0
    assert headers["x-litellm-attempted-retries"] == "0"
    assert headers["x-litellm-version"]
    assert answer.parse().choices[0].message.content


def test_the_list_of_models(client, gateway):
    names = [model.id for model in client.models.list()]
    assert {"gpt-4o", "house-model", "priced", "failover"} <= set(names)
    assert names.count("failover") == 1, "a group is listed once"
    restricted = client.with_options(api_key=gateway.key(models=["house-model"]))
    assert [model.id for model in restricted.models.list()] == ["house-model"]


def test_one_model(client, gateway):
    model = client.models.retrieve("house-model")
    assert (model.id, model.object) == ("house-model", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    # What a key may not use it does not see.
    with pytest.raises(openai.NotFoundError):
        client.with_options(api_key=gateway.key(models=["gpt-4o"])).models.retrieve("house-model")
