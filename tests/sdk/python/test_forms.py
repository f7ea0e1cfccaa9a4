"""What a chat may hold besides text, both ways, as the SDK reads it: whole, streamed and put together by the SDK's helper."""

import base64
import itertools
import json

import openai
import pydantic
import pytest

from conftest import HI, ask

TOOLS = [{"type": "function", "function": {"name": name, "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}}
    for name in ("weather", "time")]
CALLS = [{"id": "call_a", "name": "weather", "arguments": '{"city": "Zürich 😀"}'},
         {"id": "call_b", "name": "time", "arguments": '{"city":"Köln"}'},
         {"id": "call_c", "name": "weather", "arguments": "{}"}]


def streamed(client, simulate, **options):
    """All that the SDK's own helper puts together from a stream."""
    with client.chat.completions.stream(
        **{"model": "gpt-4o", "messages": HI, "extra_body": {"simulate": simulate}, **options}
    ) as stream:
        events = list(stream)
        return events, stream.get_final_completion().choices[0].message


def told(calls):
    return [{"id": call.id, "name": call.function.name, "arguments": call.function.arguments} for call in calls]


@pytest.mark.parametrize("interleave", [False, True])
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("split", ["every_byte", {"random": 11}, {"sizes": [200, 1, 1, 1]}])
def test_parallel_tool_calls_in_pieces(client, interleave, size, split):
    calls = {}
    # Bytes of a character may come apart on the wire, not in a piece of the arguments.
    for chunk in ask(client, stream=True, tools=TOOLS, parallel_tool_calls=True, simulate={
        "tool_calls": CALLS, "chunk_bytes": size, "interleave_tool_calls": interleave, "split": split
    }):
        for piece in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(piece.index, {"id": piece.id, "name": piece.function.name, "arguments": ""})
            call["arguments"] += piece.function.arguments or ""
    assert list(calls) == [0, 1, 2]
    assert list(calls.values()) == CALLS


def test_parallel_tool_calls(client, simulator):
    simulator.requests()
    message = ask(client, tools=TOOLS, parallel_tool_calls=False, simulate={"tool_calls": CALLS}).choices[0].message
    assert told(message.tool_calls) == CALLS
    assert simulator.requests()[0]["body"]["parallel_tool_calls"] is False
    # The loop of an agent: every result goes back under its call's id, and the answer may come with words and calls.
    results = [{"role": "tool", "tool_call_id": call.id, "content": json.dumps({"of": call.id})} for call in message.tool_calls]
    turn = [*HI, message.model_dump(exclude_none=True), *results]
    answer = ask(client, messages=turn, tools=TOOLS, simulate={"content": "Wait.", "tool_calls": CALLS[:1]})
    assert simulator.requests()[0]["body"]["messages"] == turn
    assert answer.choices[0].message.content == "Wait."
    assert told(answer.choices[0].message.tool_calls) == CALLS[:1]


@pytest.mark.parametrize("choice", [
    "none", "auto", "required", {"type": "function", "function": {"name": "time"}},
    {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "time"}}]}},
])
def test_every_choice_of_tools_arrives(client, simulator, choice):
    simulator.requests()
    ask(client, tools=TOOLS, tool_choice=choice)
    assert simulator.requests()[0]["body"]["tool_choice"] == choice


def test_the_sdks_helper_puts_calls_together(client):
    events, message = streamed(client, {"tool_calls": CALLS, "chunk_bytes": 2, "interleave_tool_calls": False}, tools=TOOLS)
    assert told(message.tool_calls) == CALLS
    assert message.tool_calls[0].function.parsed_arguments == {"city": "Zürich 😀"}
    done = [event.name for event in events if event.type == "tool_calls.function.arguments.done"]
    assert done == ["weather", "time", "weather"]


class City(pydantic.BaseModel):
    name: str
    people: int


def test_a_schema_in_a_stream(client):
    bern = '{"name": "Bern", "people": 134506}'
    _, message = streamed(client, {"content": bern, "chunk_bytes": 5}, response_format=City)
    assert message.parsed == City(name="Bern", people=134506)


def test_a_schema_that_the_answer_breaks_off(client):
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="gpt-4o", messages=HI, response_format=City, extra_body={
            "simulate": {"content": '{"name": "Be', "finish_reason": "length"}})


def test_a_filter_that_stops_the_answer(client):
    with pytest.raises(openai.ContentFilterFinishReasonError):
        client.chat.completions.parse(model="gpt-4o", messages=HI, response_format=City, extra_body={
            "simulate": {"content": "", "finish_reason": "content_filter"}})


def test_a_refusal(client):
    no = "I can’t help with that."
    answer = client.chat.completions.parse(
        model="gpt-4o", messages=HI, response_format=City, extra_body={"simulate": {"refusal": no}})
    message = answer.choices[0].message
    assert (message.refusal, message.parsed, message.content) == (no, None, None)
    events, message = streamed(client, {"refusal": no}, response_format=City)
    assert (message.refusal, message.parsed) == (no, None)
    assert "".join(event.delta for event in events if event.type == "refusal.delta") == no


def test_a_json_object(client, simulator):
    simulator.requests()
    answer = ask(client, response_format={"type": "json_object"}, simulate={"content": '{"a": 1}'})
    assert json.loads(answer.choices[0].message.content) == {"a": 1}
    assert simulator.requests()[0]["body"]["response_format"] == {"type": "json_object"}


def test_pictures_sound_and_files_arrive(client, simulator):
    picture = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 4000).decode()
    content = [
        {"type": "text", "text": "What is on it?"},
        {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg?x=1&y=%20"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
    ]
    messages = [{"role": "developer", "content": "Be short."}, {"role": "user", "content": content, "name": "Änne"}]
    for stream in (False, True):
        simulator.requests()
        answer = ask(client, messages=messages, stream=stream, simulate={"content": "A locomotive."})
        said = answer.choices[0].message.content if not stream else "".join(
            chunk.choices[0].delta.content or "" for chunk in answer)
        assert said == "A locomotive."
        assert simulator.requests()[0]["body"]["messages"] == messages


def test_log_probabilities(client):
    answer = ask(client, logprobs=True, top_logprobs=3, simulate={"content": "Grüß Gott"})
    whole = answer.choices[0].logprobs.content
    assert [bytes(token.bytes).decode() for token in whole] == ["Grüß ", "Gott"]
    assert all(len(token.top_logprobs) == 3 and token.top_logprobs[0].logprob == token.logprob for token in whole)
    pieces = [chunk.choices[0].logprobs for chunk in ask(
        client, logprobs=True, top_logprobs=3, stream=True, simulate={"content": "Grüß Gott"})]
    streamed = itertools.chain.from_iterable(piece.content for piece in pieces if piece)
    # Every digit is the provider's.
    assert [token.logprob for token in streamed] == [token.logprob for token in whole] == [
        -0.0012345678901234, -0.0024691357802468]


def test_several_choices_with_calls_and_probabilities(client):
    answer = ask(client, n=3, tools=TOOLS, simulate={"tool_calls": CALLS})
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert all(told(choice.message.tool_calls) == CALLS for choice in answer.choices)
    said, reasons = {}, {}
    for chunk in ask(client, n=3, stream=True, logprobs=True, simulate={"content": "a b", "split": {"random": 3}}):
        for choice in chunk.choices:
            said[choice.index] = said.get(choice.index, "") + (choice.delta.content or "")
            if choice.finish_reason:
                reasons[choice.index] = choice.finish_reason
    assert said == {0: "a b", 1: "a b", 2: "a b"}
    assert reasons == {0: "stop", 1: "stop", 2: "stop"}


def test_seed_and_fingerprint(client, simulator):
    simulator.requests()
    first, second = (ask(client, seed=-(2**63), temperature=0) for _ in range(2))
    assert first.choices[0].message.content == second.choices[0].message.content
    assert first.system_fingerprint == second.system_fingerprint == "fp_44709d6fcb"
    assert first.id != second.id
    assert {request["body"]["seed"] for request in simulator.requests()} == {-(2**63)}
    prints = {chunk.system_fingerprint for chunk in ask(client, seed=1, stream=True)}
    assert prints == {"fp_44709d6fcb"}


def test_speech(client):
    sound = base64.b64encode(b"RIFF" + bytes(range(256))).decode()
    options = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    how = {"audio": {"transcript": "Good day", "data": sound}}
    message = ask(client, simulate=how, **options).choices[0].message
    assert (message.content, message.audio.transcript, message.audio.data) == (None, "Good day", sound)
    parts = [chunk.choices[0].delta.audio.model_dump(exclude_unset=True) for chunk in ask(client, simulate=how, stream=True, **options)
             if getattr(chunk.choices[0].delta, "audio", None)]
    assert "".join(part.get("transcript", "") for part in parts) == "Good day"
    assert "".join(part.get("data", "") for part in parts) == sound
    assert parts[0]["id"] == message.audio.id
    assert parts[-1]["expires_at"] == message.audio.expires_at


def test_citations(client, simulator):
    cited = [{"type": "url_citation", "url_citation": {
        "start_index": 0, "end_index": 3, "url": "https://example.org/?a=1&b=ü", "title": "“T”"}}]
    simulator.requests()
    answer = ask(client, web_search_options={"search_context_size": "low"}, simulate={"content": "Yes", "annotations": cited})
    assert [annotation.model_dump() for annotation in answer.choices[0].message.annotations] == cited
    assert simulator.requests()[0]["body"]["web_search_options"] == {"search_context_size": "low"}
    streamed = [chunk.choices[0].delta.annotations for chunk in ask(client, stream=True, simulate={
        "content": "Yes", "annotations": cited}) if hasattr(chunk.choices[0].delta, "annotations")]
    assert streamed == [cited]


@pytest.mark.parametrize("spelling", ["reasoning_content", "reasoning"])
def test_thoughts_come_as_reasoning_content(client, spelling):
    how = {spelling: "Let me see", "content": "Yes"}
    message = ask(client, simulate=how).choices[0].message
    assert (getattr(message, spelling), message.content) == ("Let me see", "Yes")
    thought, said = "", ""
    for chunk in ask(client, stream=True, simulate=how):
        delta = chunk.choices[0].delta
        # Thinking ends before the answer begins.
        thought += getattr(delta, spelling, None) or ""
        said += delta.content or ""
        assert not said or thought == "Let me see"
    assert (thought, said) == ("Let me see", "Yes")


def test_thinking_is_counted(client):
    usage = ask(client, simulate={"reasoning_content": "x" * 40, "content": "y" * 40}).usage
    assert usage.completion_tokens_details.reasoning_tokens == 10
    assert usage.completion_tokens == 20
