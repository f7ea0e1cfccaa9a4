"""LangChain's Anthropic models, over each kind of upstream."""

import anthropic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from conversations import TEXT, THOUGHT, UPSTREAMS
from processes import MASTER_KEY


@tool
def weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"rain in {city}"


@pytest.fixture(params=UPSTREAMS)
def model(gateway, request):
    def make(conversation="text", **options):
        return ChatAnthropic(**{"model": f"{request.param}-{conversation}", "base_url": gateway.address, "api_key": MASTER_KEY,
                                "max_retries": 0, "max_tokens": 4000, **options})

    return make


def test_an_answer(model):
    answer = model().invoke([("system", "Be short."), ("human", "Hi")])
    assert answer.text == TEXT
    assert answer.usage_metadata["total_tokens"] == 170
    assert answer.usage_metadata["input_token_details"]["cache_read"] == 40


def test_a_stream(model):
    whole = None
    for chunk in model().stream("Hi"):
        whole = chunk if whole is None else whole + chunk
    assert whole.text == TEXT
    assert whole.usage_metadata["output_tokens"] == 30


@pytest.mark.parametrize("stream", [False, True])
def test_the_loop_of_tools_with_thoughts(model, stream):
    bound = model("tools", thinking={"type": "enabled", "budget_tokens": 1024}).bind_tools([weather])

    def ask(turns):
        if not stream:
            return bound.invoke(turns)
        whole = None
        for chunk in bound.stream(turns):
            whole = chunk if whole is None else whole + chunk
        return whole

    turns = [HumanMessage("What about the weather?")]
    asked = ask(turns)
    assert [call["args"] for call in asked.tool_calls] == [{"city": "Zürich 😀", "days": 2}]
    assert [block["thinking"] for block in asked.content if block["type"] == "thinking"] == [THOUGHT]
    turns += [asked, *(weather.invoke(call) for call in asked.tool_calls)]
    assert ask(turns).text == "Rain."


def test_an_error(model):
    with pytest.raises(anthropic.RateLimitError):
        model("limited").invoke("Hi")
