"""The SDK's Azure client: another path, another header, the deployment's name in place of the model's."""

import openai
import pytest

from conftest import HI
from processes import MASTER_KEY, PROVIDER_KEY

VERSION = "2024-10-21"


def azure(gateway, key=MASTER_KEY, **options):
    return openai.AzureOpenAI(**{"azure_endpoint": gateway.address, "api_key": key, "api_version": VERSION,
                                 "max_retries": 0, **options})


def said(answer):
    return answer.choices[0].message.content


def test_an_answer(gateway, simulator):
    simulator.requests()
    answer = azure(gateway).chat.completions.create(
        model="house-model", messages=HI, extra_body={"simulate": {"content": "Grüezi!"}})
    assert (said(answer), answer.model) == ("Grüezi!", "house-model")
    (request,) = simulator.requests()
    assert request["path"] == "/v1/chat/completions"
    assert request["body"]["model"] == "gpt-4o-mini"
    assert request["headers"]["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert "api-key" not in request["headers"]


def test_a_deployment_of_the_client(gateway):
    client = azure(gateway, azure_deployment="gpt-4o")
    assert said(client.chat.completions.create(model="whatever", messages=HI))


def test_a_token_in_place_of_a_key(gateway):
    client = azure(gateway, key=None, azure_ad_token=MASTER_KEY)
    assert said(client.chat.completions.create(model="gpt-4o", messages=HI))


async def test_the_asynchronous_client(gateway):
    async with openai.AsyncAzureOpenAI(
        azure_endpoint=gateway.address, api_key=MASTER_KEY, api_version=VERSION, max_retries=0
    ) as client:
        assert said(await client.chat.completions.create(model="gpt-4o", messages=HI))


def test_a_stream(gateway):
    chunks = list(azure(gateway).chat.completions.create(
        model="gpt-4o", messages=HI, stream=True, stream_options={"include_usage": True},
        extra_body={"simulate": {"content": "one two", "split": "every_byte"}}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "one two"
    assert chunks[-1].usage.total_tokens > 0


def test_embeddings(gateway):
    answer = azure(gateway).embeddings.create(model="embedding", input=["a", "b"])
    assert [item.index for item in answer.data] == [0, 1]
    assert all(isinstance(number, float) for number in answer.data[0].embedding)


def test_completions(gateway):
    assert azure(gateway).completions.create(model="instruct", prompt="Hi").choices[0].text


@pytest.mark.parametrize("status, expected", [
    (400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError), (500, openai.InternalServerError)])
@pytest.mark.parametrize("stream", [False, True])
def test_errors(gateway, status, expected, stream):
    with pytest.raises(expected) as raised:
        azure(gateway).chat.completions.create(
            model="gpt-4o", messages=HI, stream=stream, extra_body={"simulate": {"status": status}})
    assert raised.value.code == str(status)


def test_a_wrong_key(gateway):
    with pytest.raises(openai.AuthenticationError) as raised:
        azure(gateway, key="sk-nobody-has-this-key").chat.completions.create(model="gpt-4o", messages=HI)
    assert raised.value.type == "token_not_found_in_db"


def test_a_deployment_nobody_has(gateway):
    with pytest.raises(openai.BadRequestError, match="no-such-model"):
        azure(gateway).chat.completions.create(model="no-such-model", messages=HI)


def test_a_key_that_may_not_use_the_deployment(gateway):
    key = gateway.key(models=["house-model"])
    with pytest.raises(openai.PermissionDeniedError):
        azure(gateway, key=key).chat.completions.create(model="gpt-4o", messages=HI)
    # The path names the model: what the body says besides changes nothing.
    with pytest.raises(openai.PermissionDeniedError):
        azure(gateway, key=key, azure_deployment="gpt-4o").chat.completions.create(model="house-model", messages=HI)
