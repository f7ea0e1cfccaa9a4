"""When a model has failed for good another one answers: what the SDK sees of it, one fallback of each kind."""

import openai
import pytest

from conftest import HI, ask, make_client
from processes import Gateway, configuration

# What the request asks of the simulated provider holds for the first model; a fallback has a wish of its own.
SETTINGS = """
router_settings:
  num_retries: 0
  disable_cooldowns: true
  fallbacks: [{gpt-4o: [{model: house-model, simulate: {content: from the general list}}]}]
  context_window_fallbacks: [{gpt-4o: [{model: priced, simulate: {content: from the list for long prompts}}]}]
  content_policy_fallbacks: [{gpt-4o: [{model: instruct, simulate: {content: from the list for refused content}}]}]
  default_fallbacks: [{model: house-model, simulate: {content: from the default}}]
"""


def refusing(code, message):
    return {"status": 400, "body": {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}}


TOO_LONG = refusing("context_length_exceeded", "This model's maximum context length is 8 tokens.")
UNWELCOME = refusing("content_policy_violation", "Your request was rejected as a result of our safety system.")


@pytest.fixture(scope="module")
def fallbacks(simulator, tmp_path_factory):
    before, _, after = configuration(simulator).partition("router_settings:")
    general = after[after.index("general_settings:"):] + "  dangerously_allow_mock_testing_request_params: true\n"
    gateway = Gateway(tmp_path_factory.mktemp("fallbacks"), before + SETTINGS + general)
    yield gateway
    gateway.stop()


KINDS = [
    ("gpt-4o", {"status": 500}, "house-model", "from the general list"),
    ("gpt-4o", {"status": 422}, "house-model", "from the general list"),
    ("gpt-4o", TOO_LONG, "priced", "from the list for long prompts"),
    ("gpt-4o", UNWELCOME, "instruct", "from the list for refused content"),
    ("impatient", {"hang": "before_head"}, "house-model", "from the default"),
    ("gpt-4o", {"content": "", "finish_reason": "content_filter"}, "instruct", "from the list for refused content"),
]


@pytest.mark.parametrize("model, how, by, text", KINDS)
def test_another_model_answers(fallbacks, model, how, by, text):
    answer = ask(make_client(fallbacks), model=model, simulate=how)
    assert (answer.model, answer.choices[0].message.content) == (by, text)


@pytest.mark.parametrize("model, how, by, text", KINDS[:5])
def test_another_model_streams(fallbacks, model, how, by, text):
    chunks = list(ask(make_client(fallbacks), model=model, simulate=how, stream=True))
    assert {chunk.model for chunk in chunks} == {by}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text


def test_it_is_told_by_headers(fallbacks):
    raw = make_client(fallbacks).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=HI, extra_body={"simulate": {"status": 500}}
    )
    assert raw.headers["x-litellm-attempted-fallbacks"] == "1"
    assert raw.headers["x-litellm-model-group"] == "house-model"
    assert raw.parse().model == "house-model"


def test_a_request_names_its_own(fallbacks):
    own = [{"model": "priced", "simulate": {"content": "from its own list"}}]
    answer = ask(make_client(fallbacks), simulate={"status": 500}, extra_body={"fallbacks": own})
    assert (answer.model, answer.choices[0].message.content) == ("priced", "from its own list")


def test_a_request_wants_none(fallbacks):
    with pytest.raises(openai.InternalServerError) as raised:
        ask(make_client(fallbacks), simulate={"status": 500}, extra_body={"disable_fallbacks": True})
    assert "LiteLLM:" not in raised.value.message


def test_when_all_fail_the_first_failure_is_raised(fallbacks):
    with pytest.raises(openai.RateLimitError) as raised:
        ask(make_client(fallbacks), simulate={"status": 429}, extra_body={"fallbacks": ["house-model", "nowhere"]})
    assert raised.value.message.count("also failed") == 2


@pytest.mark.parametrize("flag, by", [
    ("mock_testing_fallbacks", "house-model"),
    ("mock_testing_context_fallbacks", "priced"),
    ("mock_testing_content_policy_fallbacks", "instruct"),
])
def test_a_failure_can_be_rehearsed(fallbacks, simulator, flag, by):
    simulator.requests()
    assert ask(make_client(fallbacks), extra_body={flag: True}).model == by
    assert len(simulator.requests()) == 1
