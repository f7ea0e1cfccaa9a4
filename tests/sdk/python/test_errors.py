"""Every failure reaches the client as the SDK's own class for it."""

import openai
import pytest

from conftest import HI, ask, make_client, usage
from processes import wait_until


def test_a_wrong_key(gateway):
    with pytest.raises(openai.AuthenticationError) as raised:
        ask(make_client(gateway, "sk-nobody-has-this-key"))
    assert raised.value.type == "token_not_found_in_db"
    assert raised.value.code == "401"
    assert "sk-nobody-has-this-key" not in str(raised.value)


def test_an_expired_key(gateway):
    key = gateway.key(duration="1s")
    client = make_client(gateway, key)

    def refused():
        try:
            ask(client)
        except openai.AuthenticationError as error:
            return error

    assert wait_until(refused, what="expiry").type == "expired_key"


def test_a_model_the_key_may_not_use(gateway):
    client = make_client(gateway, gateway.key(models=["house-model"]))
    assert ask(client, model="house-model")
    with pytest.raises(openai.PermissionDeniedError) as raised:
        ask(client, model="gpt-4o")
    assert raised.value.type == "key_model_access_denied"
    assert raised.value.param == "model"


def test_a_model_nobody_has(client):
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client, model="no-such-model")
    assert "no-such-model" in raised.value.message
    assert "/v1/models" in raised.value.message


def test_a_body_without_messages(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/chat/completions", cast_to=object, body={"model": "gpt-4o"})
    assert raised.value.param == "messages"


def test_a_route_nobody_has(client):
    with pytest.raises(openai.NotFoundError):
        client.post("/no/such/route", cast_to=object, body={})


@pytest.mark.parametrize("status, expected", [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (502, openai.InternalServerError),
    (503, openai.InternalServerError),
])
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_provider_refuses(client, status, expected, stream):
    with pytest.raises(expected) as raised:
        ask(client, stream=stream, simulate={"status": status})
    error = raised.value
    assert error.status_code == status
    assert error.code == str(status)
    assert error.message and error.type
    assert error.response.headers["x-litellm-call-id"]


def test_the_providers_wait(client):
    with pytest.raises(openai.RateLimitError) as raised:
        ask(client, simulate={"status": 429, "headers": {"retry-after": "7"}})
    assert raised.value.response.headers["llm_provider-retry-after"] == "7"
    assert raised.value.type == "throttling_error"


def test_a_context_window(client):
    body = {"error": {
        "message": "This model's maximum context length is 128000 tokens. However, your messages resulted in 200000 tokens.",
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}
    with pytest.raises(openai.BadRequestError, match="ContextWindowExceededError") as raised:
        ask(client, simulate={"status": 400, "body": body})
    assert raised.value.code == "context_length_exceeded"


@pytest.mark.parametrize("garbage", ["not_json", "html", "not_http"])
def test_an_answer_that_is_none(client, garbage):
    with pytest.raises(openai.InternalServerError):
        ask(client, simulate={"garbage": garbage})


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_cut_answer(client, how):
    with pytest.raises(openai.InternalServerError):
        ask(client, simulate={"cut_after_bytes": 40, "cut_with": how})


def test_nobody_listens(client):
    with pytest.raises(openai.InternalServerError) as raised:
        ask(client, model="nowhere")
    assert raised.value.status_code == 500
    assert "127.0.0.1:1" not in raised.value.message, "where the provider is, is nothing for clients"


def test_another_deployment_takes_over(client):
    answer = client.chat.completions.with_raw_response.create(model="failover", messages=HI)
    assert answer.parse().choices[0].message.content
    assert int(answer.headers["x-litellm-attempted-retries"]) <= 1
    for _ in range(5):
        assert ask(client, model="failover").choices[0].message.content


def test_the_deployments_patience(client):
    with pytest.raises(openai.APIStatusError) as raised:
        ask(client, model="impatient", simulate={"delay_ms": 5_000})
    assert raised.value.status_code == 408


def test_the_clients_patience(gateway):
    with pytest.raises(openai.APITimeoutError):
        ask(make_client(gateway, timeout=0.3), simulate={"delay_ms": 5_000})


def test_a_used_up_budget(gateway):
    key = gateway.key(max_budget=0.1)
    client = make_client(gateway, key)
    # 100 tokens at $0.001 and 10 at $0.002: the call that crosses the budget is let through, the next is not.
    ask(client, model="priced", simulate={"usage": usage(100, 10)})
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        ask(client, model="priced")
    assert raised.value.type == "budget_exceeded"
    assert "Budget has been exceeded" in raised.value.message
    assert "0.12" in raised.value.message and "0.1" in raised.value.message
