"""Legacy completions: a prompt in place of messages, text in place of a message."""

import openai
import pytest


def complete(client, simulate=None, **options):
    extra = {"simulate": simulate} if simulate else None
    return client.completions.create(**{"model": "instruct", "prompt": "Once upon", "extra_body": extra, **options})


def test_an_answer(client, simulator):
    simulator.requests()
    answer = complete(client, {"content": " a time"}, max_tokens=5, suffix=".", echo=False, best_of=1)
    assert (answer.object, answer.model, answer.choices[0].text, answer.choices[0].finish_reason) == (
        "text_completion", "instruct", " a time", "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    (request,) = simulator.requests()
    assert request["path"] == "/v1/completions"
    assert {name: request["body"][name] for name in ("model", "prompt", "max_tokens", "suffix", "echo", "best_of")} == {
        "model": "gpt-3.5-turbo-instruct", "prompt": "Once upon", "max_tokens": 5, "suffix": ".", "echo": False, "best_of": 1}


@pytest.mark.parametrize("prompt", ["one", ["one", "zwei 😀"], [1, 2, 3], [[1, 2], [3]]])
def test_every_form_of_prompt_arrives(client, simulator, prompt):
    simulator.requests()
    complete(client, prompt=prompt)
    assert simulator.requests()[0]["body"]["prompt"] == prompt


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream(client, usage):
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(complete(client, {"content": "one two 😀", "split": "every_byte"}, stream=True, **options))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "one two 😀"
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - usage) + [True] * usage
    assert {chunk.model for chunk in chunks} == {"instruct"}
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"


def test_several_choices(client):
    answer = complete(client, {"content": "x"}, n=2)
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "x"), (1, "x")]


async def test_the_asynchronous_client(async_client):
    answer = await async_client.completions.create(model="instruct", prompt="Hi")
    assert answer.choices[0].text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status, expected", [(400, openai.BadRequestError), (429, openai.RateLimitError), (503, openai.InternalServerError)])
def test_errors(client, status, expected, stream):
    with pytest.raises(expected) as raised:
        complete(client, {"status": status}, stream=stream)
    assert raised.value.code == str(status)


def test_an_error_in_the_middle(client):
    said = ""
    with pytest.raises(openai.APIError):
        for chunk in complete(client, {"content": "a b c", "error_mid_stream": {"after_chunks": 2}}, stream=True):
            said += chunk.choices[0].text
    assert said == "a b "
