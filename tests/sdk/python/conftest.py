"""What the tests share: one simulator and one gateway for all of them, and clients of the real SDK."""

import openai
import pytest

import conversations
from processes import MASTER_KEY, Gateway, Simulator, configuration

HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="session")
def simulator():
    simulator = Simulator()
    conversations.rehearse(simulator)
    yield simulator
    simulator.stop()


@pytest.fixture(scope="session")
def gateway(simulator, tmp_path_factory, request):
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), configuration(simulator))
    request.config.stash[LOG] = gateway.log
    yield gateway
    gateway.stop()


@pytest.fixture
def client(gateway):
    """The administrator's client. It never tries again by itself: a test should see what the gateway answers."""
    return make_client(gateway)


@pytest.fixture
async def async_client(gateway):
    async with openai.AsyncOpenAI(api_key=MASTER_KEY, base_url=gateway.base_url, max_retries=0) as client:
        yield client


def make_client(gateway, key=MASTER_KEY, **options):
    return openai.OpenAI(**{"api_key": key, "base_url": gateway.base_url, "max_retries": 0, **options})


def ask(client, model="gpt-4o", simulate=None, **options):
    """A chat completion; `simulate` tells the provider how to answer."""
    extra = {"simulate": simulate} if simulate else {}
    extra |= options.pop("extra_body", {})
    return client.chat.completions.create(
        **{"model": model, "messages": HI, "extra_body": extra or None, **options}
    )


def usage(prompt, completion):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


LOG = pytest.StashKey()


def pytest_terminal_summary(terminalreporter, exitstatus, config):
    log = config.stash.get(LOG, None)
    if exitstatus and log:
        terminalreporter.section("the gateway's log")
        terminalreporter.write_line("\n".join(log.read_text().splitlines()[-40:]))
