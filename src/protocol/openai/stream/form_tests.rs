//! Streams of hosts that are not quite OpenAI, as their clients see them.

use super::*;
use serde_json::{Value, json};

fn form(wants_usage: bool) -> StreamForm {
    StreamForm {
        model_json: b"\"mine\"".to_vec(),
        wants_usage,
        operation: Operation::Chat,
        from_chat: false,
        id: "ours".into(),
        created: 99,
        is_openai: false,
        says_reasoning: false,
    }
}

/// A whole stream of these events, with or without `[DONE]`, as the client gets it.
fn run(form: StreamForm, events: &[Value], done: bool) -> (Vec<Value>, StreamFacts) {
    let mut text: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    if done {
        text.push_str("data: [DONE]\n\n");
    }
    let mut editor = StreamEditor::new(form);
    let edited = editor.feed(Bytes::from(text));
    assert_eq!(edited.fault, None);
    let mut out = edited.out.to_vec();
    if !done {
        assert!(editor.may_end());
        out.extend(editor.closing());
        out.extend(b"data: [DONE]\n\n");
    }
    let out = String::from_utf8(out).unwrap();
    let out = out.strip_suffix("data: [DONE]\n\n").expect("a last event");
    let events = out.split_terminator("\n\n").map(|event| {
        let payload = event.strip_prefix("data: ").expect("an event");
        serde_json::from_str(payload).expect("JSON")
    });
    (events.collect(), editor.facts)
}

fn chunk(created: u64, choice: Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": created, "model": "up", "choices": [choice]})
}

fn says(text: &str) -> Value {
    json!({"index": 0, "delta": {"content": text}, "finish_reason": null})
}

/// What must hold of any stream.
#[track_caller]
fn check(events: &[Value], usage: bool) {
    let ends: Vec<&Value> = events
        .iter()
        .filter(|event| event["choices"][0]["finish_reason"].is_string())
        .collect();
    assert_eq!(ends.len(), 1, "{events:#?}");
    assert_eq!(ends[0]["choices"][0]["delta"], json!({}));
    for event in events {
        for (field, value) in [("id", &events[0]["id"]), ("created", &events[0]["created"])] {
            assert_eq!(&event[field], value, "{event}");
        }
        assert_eq!(event["object"], "chat.completion.chunk");
        assert_eq!(event["model"], "mine");
    }
    let first = events
        .iter()
        .find(|event| event["choices"][0].is_object())
        .unwrap();
    assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
    let with_usage: Vec<usize> = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event["usage"].is_object())
        .map(|(place, _)| place)
        .collect();
    let last = usage.then_some(events.len() - 1);
    assert_eq!(with_usage, last.into_iter().collect::<Vec<_>>());
    if usage {
        assert_eq!(events[events.len() - 1]["choices"], json!([]));
    }
}

#[test]
fn a_finish_reason_and_usage_on_the_last_content() {
    // Moonshot, Mistral, DeepSeek.
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    let mut last = chunk(
        17,
        json!({"index": 0, "delta": {"content": "b"}, "finish_reason": "length", "logprobs": {"content": []}}),
    );
    last["usage"] = usage.clone();
    last["system_fingerprint"] = json!("f");
    for asked in [false, true] {
        let (events, facts) = run(form(asked), &[chunk(17, says("a")), last.clone()], true);
        check(&events, asked);
        assert_eq!(events[1]["choices"][0]["delta"]["content"], "b");
        assert_eq!(events[1]["choices"][0]["logprobs"], json!({"content": []}));
        assert_eq!(events[2]["choices"][0]["finish_reason"], "length");
        assert_eq!(events[1]["system_fingerprint"], "f");
        if asked {
            assert_eq!(events[3]["usage"], usage);
        }
        assert!(facts.usage.is_some());
    }
}

#[test]
fn usage_on_every_chunk_and_time_that_goes_on() {
    // Perplexity, xAI.
    let mut events = [chunk(17, says("a")), chunk(18, says("b"))].to_vec();
    events.push(chunk(
        19,
        json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
    ));
    events[2]["object"] = json!("chat.completion.done");
    for (count, event) in events.iter_mut().enumerate() {
        event["usage"] =
            json!({"prompt_tokens": 1, "completion_tokens": count, "total_tokens": 1 + count});
        event["citations"] = json!(["https://a.test"]);
    }
    for asked in [false, true] {
        let (seen, facts) = run(form(asked), &events, true);
        check(&seen, asked);
        assert_eq!(seen[1]["citations"], json!(["https://a.test"]));
        if asked {
            assert_eq!(seen[3]["usage"]["completion_tokens"], 2);
        }
        assert_eq!(facts.usage.unwrap().usage.completion_tokens(), 2);
    }
}

#[test]
fn no_id_no_object_no_end() {
    // Ollama and small servers.
    let events =
        ["a", "b"].map(|text| json!({"choices": [{"index": 0, "delta": {"content": text}}]}));
    for done in [false, true] {
        let (seen, facts) = run(form(false), &events, done);
        check(&seen, false);
        assert_eq!(seen[0]["id"], "ours");
        assert_eq!(seen[0]["created"], 99);
        assert_eq!(seen[2]["choices"][0]["finish_reason"], "stop");
        assert_eq!(facts.id.as_deref(), Some("ours"));
    }
}

#[test]
fn a_first_event_that_knows_nothing_yet() {
    // Azure.
    let filter = json!({"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]});
    let events = [
        filter,
        chunk(
            17,
            json!({"index": 0, "delta": {"role": "assistant", "content": ""}}),
        ),
        chunk(17, says("a")),
        chunk(
            17,
            json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
        ),
    ];
    let openai = StreamForm {
        is_openai: true,
        ..form(false)
    };
    let (seen, _) = run(openai, &events, true);
    check(&seen, false);
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0]["id"], "c");
    assert_eq!(
        seen[0]["prompt_filter_results"],
        json!([{"prompt_index": 0}])
    );
}

#[test]
fn tool_calls_end_as_such() {
    let call = json!({"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let events = [
        chunk(
            17,
            json!({"index": 0, "delta": {"role": "assistant", "tool_calls": [call]}, "finish_reason": ""}),
        ),
        chunk(
            17,
            json!({"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}),
        ),
    ];
    let (seen, _) = run(form(false), &events, true);
    assert_eq!(seen[0]["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(seen[1]["choices"][0]["finish_reason"], "tool_calls");
    // A list without calls calls nothing.
    let none = [
        chunk(
            17,
            json!({"index": 0, "delta": {"role": "assistant", "content": "x", "tool_calls": []}, "finish_reason": null}),
        ),
        events[1].clone(),
    ];
    let (seen, _) = run(form(false), &none, true);
    let last = seen
        .iter()
        .filter_map(|event| event["choices"][0]["finish_reason"].as_str())
        .next_back();
    assert_eq!(last, Some("stop"));
    // OpenAI says `stop` when the tool was forced, and means it.
    let openai = StreamForm {
        is_openai: true,
        ..form(false)
    };
    let (seen, _) = run(openai, &events, true);
    assert_eq!(seen[1]["choices"][0]["finish_reason"], "stop");
}

#[test]
fn openais_own_end_is_not_made_up() {
    let mut editor = StreamEditor::new(StreamForm {
        is_openai: true,
        ..form(false)
    });
    editor.feed(Bytes::from(format!("data: {}\n\n", chunk(17, says("a")))));
    assert!(!editor.may_end());
    assert!(editor.closing().is_empty());
}

#[test]
fn texts_are_evened_out_too() {
    let text = StreamForm {
        operation: Operation::Completion,
        ..form(true)
    };
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
    let events = [
        json!({"id": "c", "created": 1, "choices": [{"index": 0, "text": "a"}]}),
        json!({"id": "c", "created": 1, "choices": [{"index": 0, "text": "b", "finish_reason": "stop"}], "usage": usage}),
    ];
    let (seen, _) = run(text, &events, false);
    let object = |event: &Value| event["object"] == "text_completion";
    assert!(seen.iter().all(object), "{seen:#?}");
    let texts: Vec<&Value> = seen
        .iter()
        .map(|event| &event["choices"][0]["text"])
        .collect();
    assert_eq!(texts, [&json!("a"), &json!("b"), &json!(""), &Value::Null]);
    assert_eq!(seen[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(seen[3]["usage"], usage);
}

proptest::proptest! {
    /// The same, whatever pieces it comes in.
    #[test]
    fn any_split_gives_the_same_stream(cuts in proptest::collection::vec(1usize..60, 0..40), asked: bool, from_chat: bool) {
        let form = StreamForm {
            from_chat,
            operation: if from_chat { Operation::Completion } else { Operation::Chat },
            ..form(asked)
        };
        let last = json!({"choices": [{"index": 0, "delta": {"content": "ü"}, "finish_reason": "stop"}], "usage": {"total_tokens": 9}});
        let text = format!(
            "data: {}\r\n\r\n: ping\n\ndata:{last}\n\ndata: [DONE]\n\n",
            chunk(17, says("é"))
        );
        let whole = StreamEditor::new(form.clone()).feed(Bytes::from(text.clone())).out;
        let mut editor = StreamEditor::new(form);
        let (mut out, mut rest) = (Vec::new(), text.as_bytes());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            out.extend_from_slice(&editor.feed(Bytes::copy_from_slice(piece)).out);
            rest = after;
        }
        out.extend_from_slice(&editor.feed(Bytes::copy_from_slice(rest)).out);
        proptest::prop_assert_eq!(out, whole);
    }

    /// Shapes that no host should send.
    #[test]
    fn any_choices_are_taken_without_panic(choices in "[\\[\\]{}:,\"a0]{0,30}|\\[\\{(\"(index|delta|text|finish_reason|content)\":(\"\"|\"x\"|0|null|\\{\\}|\\[\\]),?){0,4}\\}\\]", from_chat: bool) {
        let mut editor = StreamEditor::new(StreamForm { from_chat, ..form(true) });
        editor.feed(Bytes::from(format!("data: {{\"choices\":{choices}}}\n\n")));
        editor.finish();
        editor.closing();
    }
}

#[test]
fn a_chat_becomes_a_text() {
    let text = StreamForm {
        operation: Operation::Completion,
        from_chat: true,
        ..form(false)
    };
    let mut events = [
        chunk(
            17,
            json!({"index": 0, "delta": {"role": "assistant"}, "finish_reason": null}),
        ),
        chunk(17, says("a")),
        chunk(
            17,
            json!({"index": 0, "delta": {"content": "b"}, "finish_reason": "length"}),
        ),
    ];
    events[2]["usage"] = json!({"total_tokens": 1});
    let (seen, _) = run(text, &events, true);
    let choices: Vec<&Value> = seen.iter().map(|event| &event["choices"][0]).collect();
    assert_eq!(
        choices,
        [
            &json!({"index": 0, "text": "", "finish_reason": null}),
            &json!({"index": 0, "text": "a", "finish_reason": null}),
            &json!({"index": 0, "text": "b", "finish_reason": null}),
            &json!({"index": 0, "text": "", "finish_reason": "length"}),
        ]
    );
    assert!(
        seen.iter()
            .all(|event| event["object"] == "text_completion")
    );
}

#[test]
fn what_is_no_list_of_choices_is_malformed() {
    for choices in ["5", "[5]", "{}", "[{\"delta\":5}]"] {
        let mut editor = StreamEditor::new(form(false));
        let event = format!("data: {{\"id\":\"c\",\"choices\":{choices}}}\n\n");
        let edited = editor.feed(Bytes::from(event));
        assert_eq!(edited.fault, Some(StreamFault::Malformed), "{choices}");
    }
}
