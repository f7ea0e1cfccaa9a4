//! Conversations that succeed.

use super::told::{Told, Usage};
use super::{Cell, Field, Protocol, asks};
use crate::harness::{Value, json};

const TEXT: &str = "Grüße aus 東京 🚂, \"quoted\"\n\tand \\ back\u{1F469}\u{200D}\u{1F52C}. ";
const THOUGHT: &str = "The user asks – let me see. 🤔\nOnce more.";
const ARGUMENTS: &str = r#"{"city": "Köln \"am Rhein\"", "unit":"C", "n":1.50}"#;
const MORE_ARGUMENTS: &str = r#"{ "city":"Zürich" }"#;

fn counts() -> Value {
    json!({"input": 100, "cache_read": 40, "cache_write_5m": 8, "cache_write_1h": 2, "output": 30, "thinking": 7})
}

const USAGE: Usage = Usage {
    input: 150,
    cached: 40,
    output: 30,
};

fn said(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn call(number: usize, name: &str, arguments: &str) -> Value {
    json!({"type": "tool_use", "id": format!("toolu_0{number}"), "name": name, "arguments": arguments})
}

/// Ways in which bytes and events may come.
fn ways() -> Vec<Value> {
    vec![
        json!({"chunk_bytes": 3}),
        json!({"split": "every_byte"}),
        json!({"split": {"random": 7}, "chunk_bytes": 11, "pings": true, "unknown_events": true}),
        json!({"crlf": true, "comments": true, "chunks": 2}),
    ]
}

fn with(base: &Value, more: &Value) -> Value {
    let mut joined = base.clone();
    for (name, value) in more.as_object().expect("an object") {
        joined[name] = value.clone();
    }
    joined
}

#[test]
fn text_and_counts() {
    let field = Field::new();
    field.each(|cell| {
        let base = json!({"blocks": [said(TEXT), said("And so on.")], "counts": counts()});
        for way in ways() {
            cell.behave(&with(&base, &way));
            let (told, answer) = cell.ask(&cell.first(false, false));
            assert_eq!(told.text, format!("{TEXT}And so on."), "{way}");
            assert_eq!(
                (told.end.as_str(), &told.calls, told.usage),
                ("stop", &vec![], USAGE),
                "{way}: {answer}"
            );
            assert_eq!(
                (told.thinking.as_str(), told.refusal.as_str()),
                ("", ""),
                "{way}"
            );
            counted(cell, Protocol::of(&cell.sent().path), &answer["usage"]);
        }
    });
}

/// Each protocol's own counts, which together are the upstream's.
fn counted(cell: &Cell<'_>, wire: Protocol, usage: &Value) {
    let writes = if wire == Protocol::Messages { 10 } else { 0 };
    match cell.client {
        Protocol::Messages => {
            assert_eq!(usage["input_tokens"], 110 - writes, "{usage}");
            assert_eq!(usage["cache_read_input_tokens"], 40, "{usage}");
            assert_eq!(
                usage["cache_creation_input_tokens"]
                    .as_u64()
                    .unwrap_or_default(),
                writes,
                "{usage}"
            );
            if writes > 0 {
                assert_eq!(
                    usage["cache_creation"],
                    json!({"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 2})
                );
            }
        }
        Protocol::Chat => {
            assert_eq!(usage["total_tokens"], 180, "{usage}");
            if wire != Protocol::Messages {
                assert_eq!(
                    usage["completion_tokens_details"]["reasoning_tokens"], 7,
                    "{usage}"
                );
            }
        }
        Protocol::Responses => {
            if wire != Protocol::Messages {
                assert_eq!(
                    usage["output_tokens_details"]["reasoning_tokens"], 7,
                    "{usage}"
                );
            }
        }
    }
}

#[test]
fn a_tool_with_thoughts_over_two_turns() {
    let field = Field::new();
    field.each(|cell| {
        let turns = json!({"turns": [
            {"blocks": [{"type": "thinking", "thinking": THOUGHT}, said("One moment."), call(1, "weather", ARGUMENTS)], "chunk_bytes": 4},
            {"blocks": [{"type": "thinking", "thinking": "Now I know."}, said(TEXT)], "counts": counts()},
        ]});
        cell.behave(&turns);
        let asked = cell.first(true, true);
        let (told, answer) = cell.ask(&asked);
        let wire = Protocol::of(&cell.sent().path);
        assert_eq!((told.text.as_str(), told.end.as_str()), ("One moment.", "tools"), "{answer}");
        called(cell, &told, &[("toolu_01", "weather", ARGUMENTS)]);
        let thoughts = if cell.tells_thoughts(wire) { THOUGHT } else { "" };
        assert_eq!(told.thinking, thoughts, "{answer}");

        let (told, answer) = cell.ask(&asks::with_results(cell.client, &asked, &told));
        assert_eq!((told.text.as_str(), told.end.as_str(), told.usage), (TEXT, "stop", USAGE), "{answer}");
        let sent = cell.sent();
        assert_eq!(Protocol::of(&sent.path), wire, "the same upstream protocol");
        let sent = sent.json();
        let results = asks::results(wire, &sent);
        assert_eq!(results, [("toolu_01".to_owned(), asks::result().to_owned())], "{sent}");
        came_back(cell, wire, &sent);
    });
}

/// The calls, to the byte where the client sees bytes.
fn called(cell: &Cell<'_>, told: &Told, expected: &[(&str, &str, &str)]) {
    let found: Vec<(&str, &str)> = told
        .calls
        .iter()
        .map(|call| (call.id.as_str(), call.name.as_str()))
        .collect();
    let names: Vec<(&str, &str)> = expected.iter().map(|(id, name, _)| (*id, *name)).collect();
    assert_eq!(found, names);
    let meant = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let meanings: Vec<Value> = expected
        .iter()
        .map(|(.., arguments)| meant(arguments))
        .collect();
    assert_eq!(told.arguments(), meanings);
    // A whole message carries its arguments as an object.
    if cell.stream || (cell.client != Protocol::Messages && cell.family != super::Family::Anthropic)
    {
        let bytes: Vec<&str> = told
            .calls
            .iter()
            .map(|call| call.arguments.as_str())
            .collect();
        let expected: Vec<&str> = expected.iter().map(|(.., arguments)| *arguments).collect();
        assert_eq!(bytes, expected, "byte for byte");
    }
}

/// The assistant's turn reached the upstream again: the simulator has checked signatures and encrypted content, here it is
/// checked that they were not simply left out.
fn came_back(cell: &Cell<'_>, wire: Protocol, sent: &Value) {
    let text = sent.to_string();
    match wire {
        Protocol::Messages => {
            let turn = &sent["messages"][1]["content"];
            assert_eq!(
                (&turn[0]["type"], &turn[0]["thinking"]),
                (&json!("thinking"), &json!(THOUGHT)),
                "{sent}"
            );
            assert_eq!(
                turn[1],
                json!({"type": "text", "text": "One moment."}),
                "{sent}"
            );
            assert_eq!(
                turn[2]["input"],
                serde_json::from_str::<Value>(ARGUMENTS).unwrap(),
                "{sent}"
            );
        }
        Protocol::Responses => {
            let items = sent["input"].as_array().expect("items");
            let kinds: Vec<&Value> = items.iter().map(|item| &item["type"]).collect();
            assert!(kinds.contains(&&json!("reasoning")), "{sent}");
            assert!(text.contains("encrypted_content"), "{sent}");
        }
        Protocol::Chat => {
            let turns = sent["messages"].as_array().expect("turns");
            let turn = turns
                .iter()
                .find(|turn| turn["role"] == "assistant")
                .expect("the assistant's turn");
            let arguments = &turn["tool_calls"][0]["function"]["arguments"];
            let meant = |value: &Value| {
                serde_json::from_str::<Value>(value.as_str().unwrap_or_default())
                    .unwrap_or_default()
            };
            assert_eq!(meant(arguments), meant(&json!(ARGUMENTS)), "{turn}");
            if cell.client != Protocol::Messages {
                assert_eq!(*arguments, ARGUMENTS, "byte for byte");
            }
        }
    }
}

/// Thoughts between words, some of them sealed: each comes back as it was, in the order that the client's protocol has.
#[test]
fn thoughts_between_words_and_sealed_ones() {
    let field = Field::new();
    field.each(|cell| {
        let blocks = json!([
            {"type": "thinking", "thinking": THOUGHT},
            said("One moment."),
            {"type": "redacted_thinking", "data": "c2VhbGVk"},
            {"type": "thinking", "thinking": "Then the weather."},
            call(1, "weather", ARGUMENTS),
        ]);
        let first = json!({"blocks": blocks, "chunk_bytes": 4});
        cell.behave(&json!({"turns": [first, {"content": "Done."}]}));
        let asked = cell.first(true, true);
        let (told, answer) = cell.ask(&asked);
        assert_eq!(
            (told.text.as_str(), told.end.as_str()),
            ("One moment.", "tools"),
            "{answer}"
        );
        called(cell, &told, &[("toolu_01", "weather", ARGUMENTS)]);
        let wire = Protocol::of(&cell.sent().path);
        let (told, _) = cell.ask(&asks::with_results(cell.client, &asked, &told));
        assert_eq!(told.text, "Done.");
        let sent = cell.sent().json();
        if wire == Protocol::Messages {
            let turn = sent["messages"][1]["content"].as_array().expect("blocks");
            let kinds: Vec<&str> = turn
                .iter()
                .filter_map(|block| block["type"].as_str())
                .collect();
            let expected = match cell.client {
                Protocol::Chat => [
                    "thinking",
                    "redacted_thinking",
                    "thinking",
                    "text",
                    "tool_use",
                ],
                _ => [
                    "thinking",
                    "text",
                    "redacted_thinking",
                    "thinking",
                    "tool_use",
                ],
            };
            assert_eq!(kinds, expected, "{sent}");
        }
    });
}

#[test]
fn pages_that_are_cited() {
    const URL: &str = "https://a.example/1?x=\"2\"";
    let field = Field::new();
    field.each(|cell| {
        let cites = json!([{"url": URL, "title": "One"}]);
        let text = json!({"type": "text", "text": TEXT, "cites": cites});
        cell.behave(&json!({"blocks": [text], "chunk_bytes": 7}));
        let (told, answer) = cell.ask(&cell.first(false, false));
        assert_eq!(told.text, TEXT);
        let cited = match cell.client {
            Protocol::Chat => &answer["choices"][0]["message"]["annotations"][0]["url_citation"],
            Protocol::Messages => {
                let citations = &answer["content"][0]["citations"];
                if Protocol::of(&cell.sent().path) != Protocol::Messages {
                    // Each would need an index that Anthropic alone can encrypt.
                    return assert!(citations.is_null(), "{answer}");
                }
                &citations[0]
            }
            Protocol::Responses => {
                let items = answer["output"].as_array().expect("items");
                &items.last().expect("a message")["content"][0]["annotations"][0]
            }
        };
        assert_eq!(
            (&cited["url"], &cited["title"]),
            (&json!(URL), &json!("One")),
            "{answer}"
        );
    });
}

#[test]
fn several_tools_at_once() {
    let field = Field::new();
    field.each(|cell| {
        let blocks = json!([
            call(1, "weather", ARGUMENTS),
            call(2, "time", MORE_ARGUMENTS),
            call(3, "time", "{}")
        ]);
        let base = json!({"blocks": blocks, "chunk_bytes": 5});
        for way in [
            json!({}),
            json!({"interleave_tool_calls": true}),
            json!({"whole_arguments": true}),
            json!({"split": "every_byte", "pings": true}),
        ] {
            cell.behave(&json!({"turns": [with(&base, &way), {"content": "Done."}]}));
            let asked = cell.first(true, false);
            let (told, answer) = cell.ask(&asked);
            assert_eq!(
                (told.text.as_str(), told.end.as_str()),
                ("", "tools"),
                "{way}: {answer}"
            );
            let expected = [
                ("toolu_01", "weather", ARGUMENTS),
                ("toolu_02", "time", MORE_ARGUMENTS),
                ("toolu_03", "time", "{}"),
            ];
            called(cell, &told, &expected);
            cell.sent();
            let (told, _) = cell.ask(&asks::with_results(cell.client, &asked, &told));
            assert_eq!(told.text, "Done.");
            let sent = cell.sent();
            let results = asks::results(Protocol::of(&sent.path), &sent.json());
            let ids: Vec<&str> = results.iter().map(|(id, _)| id.as_str()).collect();
            assert_eq!(ids, ["toolu_01", "toolu_02", "toolu_03"]);
        }
    });
}

#[test]
fn no_calls_but_an_empty_list_of_them() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"content": TEXT, "empty_tool_calls": true}));
        let (told, answer) = cell.ask(&cell.first(true, false));
        assert_eq!(
            (told.text.as_str(), told.end.as_str()),
            (TEXT, "stop"),
            "{answer}"
        );
        assert_eq!(told.calls, []);
    });
}

#[test]
fn a_call_without_arguments() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"turns": [{"blocks": [call(1, "time", "")]}, {"content": "Noon."}]}));
        let asked = cell.first(true, false);
        let (told, answer) = cell.ask(&asked);
        assert_eq!(told.end, "tools", "{answer}");
        assert!(
            ["", "{}"].contains(&told.calls[0].arguments.as_str()),
            "{answer}"
        );
        cell.sent();
        let (told, _) = cell.ask(&asks::with_results(cell.client, &asked, &told));
        assert_eq!(told.text, "Noon.");
    });
}

#[test]
fn cut_at_the_most_tokens() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"content": "And then", "finish_reason": "length", "counts": counts()}));
        let (told, answer) = cell.ask(&cell.first(false, false));
        assert_eq!(
            (told.text.as_str(), told.end.as_str(), told.usage),
            ("And then", "length", USAGE),
            "{answer}"
        );
    });
}

#[test]
fn a_refusal() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"blocks": [{"type": "refusal", "text": "I won't, 🙅."}]}));
        let (told, answer) = cell.ask(&cell.first(false, false));
        // Anthropic's protocol has no words of its own for a refusal.
        assert_eq!(told.text + &told.refusal, "I won't, 🙅.", "{answer}");
        // OpenAI's chats say a refusal and stop.
        assert!(["refusal", "stop"].contains(&told.end.as_str()), "{answer}");
    });
}

#[test]
fn explicit_zeros_stay_zeros() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"content": "x", "counts": {"input": 0, "output": 0}}));
        let (told, answer) = cell.ask(&cell.first(false, false));
        assert_eq!(told.usage, Usage::default(), "{answer}");
    });
}

#[test]
fn nothing_said_at_all() {
    let field = Field::new();
    field.each(|cell| {
        cell.behave(&json!({"content": "", "counts": counts()}));
        let (told, answer) = cell.ask(&cell.first(false, false));
        assert_eq!(
            (told.text.as_str(), told.end.as_str(), told.usage),
            ("", "stop", USAGE),
            "{answer}"
        );
    });
}
