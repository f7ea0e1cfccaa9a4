"""Embeddings: the SDK asks for base64 unless it is told otherwise, and LangChain sends tokens."""

import base64
import struct

import openai
import pytest
import tiktoken
from langchain_openai import OpenAIEmbeddings

from conftest import make_client
from processes import MASTER_KEY, wait_until


def test_the_sdks_default_is_base64(client, simulator):
    simulator.requests()
    answer = client.embeddings.create(model="embedding", input="Hello")
    (request,) = simulator.requests()
    assert request["path"] == "/v1/embeddings"
    assert request["body"] == {"model": "text-embedding-3-small", "input": "Hello", "encoding_format": "base64"}
    assert (answer.model, answer.object, answer.data[0].object, answer.data[0].index) == (
        "embedding", "list", "embedding", 0)
    assert all(isinstance(number, float) for number in answer.data[0].embedding)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


def test_base64_and_floats_are_the_same_numbers(client):
    floats = client.embeddings.create(model="embedding", input="Hello", encoding_format="float").data[0].embedding
    packed = client.embeddings.create(model="embedding", input="Hello", encoding_format="base64").data[0].embedding
    assert isinstance(packed, str)
    unpacked = struct.unpack(f"<{len(floats)}f", base64.b64decode(packed))
    assert list(unpacked) == pytest.approx(floats, rel=1e-6)
    assert client.embeddings.create(model="embedding", input="Hello").data[0].embedding == pytest.approx(floats, rel=1e-6)


@pytest.mark.parametrize("given, count", [
    ("one", 1), (["one", "zwei 😀", "三"], 3), ([1, 2, 100257], 1), ([[1, 2], [3]], 2)])
def test_every_form_of_input_arrives(client, simulator, given, count):
    simulator.requests()
    answer = client.embeddings.create(model="embedding", input=given, user="u-1")
    body = simulator.requests()[0]["body"]
    assert (body["input"], body["user"]) == (given, "u-1")
    assert [item.index for item in answer.data] == list(range(count))


def test_dimensions(client, simulator):
    simulator.requests()
    answer = client.embeddings.create(model="embedding", input="Hello", dimensions=8)
    assert simulator.requests()[0]["body"]["dimensions"] == 8
    assert len(answer.data[0].embedding) == 8


async def test_the_asynchronous_client(async_client):
    answer = await async_client.embeddings.create(model="embedding", input=["a", "b"])
    assert len(answer.data) == 2


def test_headers_and_spend(gateway):
    key = gateway.key(max_budget=100)
    answer = make_client(gateway, key).embeddings.with_raw_response.create(model="embedding", input="Hello " * 1000)
    tokens = answer.parse().usage.prompt_tokens
    # $0.02 a million.
    cost = float(answer.headers["x-litellm-response-cost"])
    assert cost == pytest.approx(tokens * 2e-8)
    assert answer.headers["x-litellm-model-group"] == "embedding"
    assert wait_until(lambda: gateway.key_info(key)["spend"], what="booked spend") == pytest.approx(cost)


@pytest.mark.parametrize("status, expected", [
    (400, openai.BadRequestError), (401, openai.AuthenticationError), (429, openai.RateLimitError), (503, openai.InternalServerError)])
def test_errors(client, status, expected):
    with pytest.raises(expected) as raised:
        client.embeddings.create(model="embedding", input="Hello", extra_body={"simulate": {"status": status}})
    assert raised.value.code == str(status)


def test_a_body_without_input(client):
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/embeddings", cast_to=object, body={"model": "embedding"})
    assert raised.value.param == "input"


@pytest.fixture
def tokens(monkeypatch):
    """A vocabulary of single bytes, so that nothing is fetched from anywhere."""
    bytewise = tiktoken.Encoding("bytes", pat_str=r"(?s:.)", mergeable_ranks={bytes([b]): b for b in range(256)}, special_tokens={})
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda model: bytewise)
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: bytewise)


def test_langchain_sends_tokens(gateway, simulator, tokens):
    simulator.requests()
    embeddings = OpenAIEmbeddings(model="embedding", base_url=gateway.base_url, api_key=MASTER_KEY, max_retries=0)
    vectors = embeddings.embed_documents(["Hello", "Grüezi"])
    assert len(vectors) == 2 and all(isinstance(number, float) for number in vectors[0])
    assert simulator.requests()[0]["body"]["input"] == [list("Hello".encode()), list("Grüezi".encode())]
    assert embeddings.embed_query("Hello") == pytest.approx(vectors[0])


def test_langchain_sends_text(gateway, simulator):
    simulator.requests()
    embeddings = OpenAIEmbeddings(
        model="embedding", base_url=gateway.base_url, api_key=MASTER_KEY, check_embedding_ctx_length=False, dimensions=4)
    assert len(embeddings.embed_query("Hello")) == 4
    assert simulator.requests()[0]["body"]["input"] == ["Hello"]
