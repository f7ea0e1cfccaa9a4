"""What the SDK does by itself after a failure: it decides by status and headers, so these must be such that it decides well."""

import time

import openai
import pytest

from conftest import HI, ask, make_client
from processes import Gateway, configuration, wait_until


def tries(simulator):
    return len(simulator.requests())


@pytest.mark.parametrize("status, expected, count", [
    (400, openai.BadRequestError, 1),
    (401, openai.AuthenticationError, 1),
    (403, openai.PermissionDeniedError, 1),
    (404, openai.NotFoundError, 1),
    (408, openai.APIStatusError, 3),
    (409, openai.ConflictError, 3),
    (413, openai.APIStatusError, 1),
    (422, openai.UnprocessableEntityError, 1),
    (429, openai.RateLimitError, 3),
    (500, openai.InternalServerError, 3),
    (502, openai.InternalServerError, 3),
    (503, openai.InternalServerError, 3),
    (504, openai.InternalServerError, 3),
    (529, openai.InternalServerError, 3),
])
def test_it_tries_again_where_that_may_help(gateway, simulator, status, expected, count):
    simulator.requests()
    client = make_client(gateway, max_retries=2)
    # The provider says how long to wait: nothing, so that the test does not.
    how = {"status": status, "headers": {"retry-after-ms": "1"}}
    with pytest.raises(expected) as raised:
        ask(client, simulate=how)
    assert raised.value.status_code == status
    assert tries(simulator) == count


def test_it_waits_as_long_as_the_provider_asks(gateway, simulator):
    simulator.requests()
    client = make_client(gateway, max_retries=1)
    began = time.monotonic()
    with pytest.raises(openai.RateLimitError):
        ask(client, simulate={"status": 429, "headers": {"retry-after": "1"}})
    assert 1 <= time.monotonic() - began < 5
    assert tries(simulator) == 2


def test_it_waits_for_the_gateways_own_limit_and_passes(simulator, tmp_path):
    gateway = Gateway(tmp_path, configuration(simulator), {"LITELLM_RATE_LIMIT_WINDOW_SIZE": "1"})
    client = make_client(gateway, gateway.key(rpm_limit=1), max_retries=3)
    for _ in range(3):
        assert ask(client).choices[0].message.content
    gateway.stop()


def test_a_deadline_per_request_ends_the_call_upstream(gateway, simulator):
    client = make_client(gateway).with_options(timeout=0.4)
    with pytest.raises(openai.APITimeoutError):
        ask(client, model="giving-up", simulate={"hang": "before_head"})
    wait_until(lambda: simulator.hangups("giving-up"), patience=5, what="the end of the upstream's call")


def test_the_gateways_patience_is_told_apart_from_the_clients(client):
    with pytest.raises(openai.APIStatusError) as raised:
        client.chat.completions.create(model="impatient", messages=HI, extra_body={"simulate": {"hang": "after_head"}})
    assert not isinstance(raised.value, openai.APITimeoutError)
    assert raised.value.status_code == 408
    assert "litellm.Timeout" in raised.value.message


def test_a_connection_that_idles_is_used_again_or_replaced_without_a_word(gateway):
    client = make_client(gateway)
    for _ in range(3):
        assert ask(client).choices[0].message.content
        time.sleep(0.3)
