//! What mocks are read from, and what they say.

use serde_json::json;

use super::*;

fn mock(fields: Value) -> Mock {
    read(&fields).unwrap().unwrap()
}

fn read(fields: &Value) -> Result<Option<Mock>, Misread> {
    Mock::read(|field| fields.get(field).cloned())
}

fn asked(stream: bool, choices: u64) -> Asked<'static> {
    Asked {
        operation: Operation::Chat,
        model: "up",
        stream,
        choices,
        prompts: 1,
        dimensions: None,
        base64: false,
        id: "1",
        created: 7,
        prompt_tokens: 5,
        text_tokens: 2,
    }
}

fn body(said: &Said) -> Value {
    let whole: Vec<u8> = said.pieces.concat();
    serde_json::from_slice(&whole).unwrap()
}

fn events(said: &Said) -> Vec<Value> {
    let data = |piece: &Bytes| {
        let text = std::str::from_utf8(piece).unwrap();
        let data = text
            .strip_prefix("data: ")
            .unwrap()
            .strip_suffix("\n\n")
            .unwrap();
        (data != "[DONE]").then(|| serde_json::from_str(data).unwrap())
    };
    said.pieces.iter().filter_map(data).collect()
}

#[test]
fn what_makes_a_mock_and_what_does_not() {
    for fields in [
        json!({}),
        json!({"mock_response": null}),
        json!({"mock_timeout": false}),
        json!({"mock_delay": 2}),
    ] {
        assert_eq!(read(&fields), Ok(None), "{fields}");
    }
    assert_eq!(mock(json!({"mock_response": ""})), Mock::text(""));
    assert!(mock(json!({"mock_timeout": true})).hangs);
    let slow = mock(json!({"mock_tool_calls": [], "mock_delay": 0.5}));
    assert_eq!(slow.delay, Duration::from_millis(500));
    assert_eq!(slow.spoken(), "This is a mock request");
    for (fields, field) in [
        (json!({"mock_response": 5}), "mock_response"),
        (json!({"mock_response": true}), "mock_response"),
        (json!({"mock_response": []}), "mock_response"),
        (json!({"mock_response": [1, "a"]}), "mock_response"),
        (json!({"mock_response": [[1], 2]}), "mock_response"),
        (json!({"mock_timeout": "yes"}), "mock_timeout"),
        (
            json!({"mock_response": "a", "mock_delay": -1}),
            "mock_delay",
        ),
        (
            json!({"mock_response": "a", "mock_delay": 1e9}),
            "mock_delay",
        ),
        (json!({"mock_tool_calls": ["call"]}), "mock_tool_calls"),
    ] {
        assert_eq!(read(&fields).unwrap_err().field, field, "{fields}");
    }
}

#[test]
fn a_text() {
    let said = mock(json!({"mock_response": "Hello there"})).say(&asked(false, 2));
    assert_eq!((said.status, said.is_event_stream), (200, false));
    let choice = |index: u64| {
        json!({
            "index": index,
            "message": {"role": "assistant", "content": "Hello there"},
            "logprobs": null,
            "finish_reason": "stop",
        })
    };
    let expected = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 7,
        "model": "up",
        "choices": [choice(0), choice(1)],
        "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
    });
    assert_eq!(body(&said), expected);
}

#[test]
fn a_streamed_text() {
    for text in ["", "Hé", "Hello there, 世界 of chunks"] {
        let said = Mock::text(text).say(&asked(true, 2));
        assert!(said.is_event_stream);
        let events = events(&said);
        for choice in 0..2 {
            let content: String = events
                .iter()
                .filter(|event| event["choices"][0]["index"] == choice)
                .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
                .collect();
            assert_eq!(content, text);
        }
        let usage = &events.last().unwrap()["usage"];
        assert_eq!(usage["total_tokens"], 9, "{text}");
        let finishes = events
            .iter()
            .filter(|event| event["choices"][0]["finish_reason"] == "stop")
            .count();
        assert_eq!(finishes, 2);
        assert_eq!(said.pieces.last().unwrap(), "data: [DONE]\n\n");
    }
}

#[test]
fn long_answers_are_bounded() {
    let long = Mock::text("x".repeat(100_000));
    assert!(long.say(&asked(true, 1)).pieces.len() < MOST_PIECES_AND_FRAME);
    assert!(long.say(&asked(true, 50)).pieces.len() < MOST_PIECES_AND_FRAME);
    assert_eq!(long.say(&asked(true, 1024)).status, 400);
}

const MOST_PIECES_AND_FRAME: usize = 2_200;

#[test]
fn tool_calls() {
    let call =
        json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let mock = mock(json!({"mock_tool_calls": [call]}));
    let whole = body(&mock.say(&asked(false, 1)));
    assert_eq!(whole["choices"][0]["message"]["tool_calls"][0], call);
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    let events = events(&mock.say(&asked(true, 1)));
    let streamed = events
        .iter()
        .find_map(|event| event["choices"][0]["delta"]["tool_calls"][0].as_object())
        .unwrap();
    assert_eq!(streamed["index"], 0);
    assert_eq!(streamed["function"], call["function"]);
    assert!(
        events
            .iter()
            .any(|event| event["choices"][0]["finish_reason"] == "tool_calls")
    );
}

#[test]
fn a_whole_answer() {
    let answer =
        json!({"id": "mine", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]});
    let mock = mock(json!({"mock_response": answer}));
    assert_eq!(mock.spoken(), "Hi");
    let whole = body(&mock.say(&asked(false, 1)));
    assert_eq!(
        (&whole["id"], &whole["model"]),
        (&json!("mine"), &json!("up"))
    );
    assert_eq!(whole["choices"], answer["choices"]);
    assert_eq!(whole["usage"]["completion_tokens"], 2);
    assert_eq!(
        events(&mock.say(&asked(true, 1)))[1]["choices"][0]["delta"]["content"],
        "Hi"
    );
}

#[test]
fn errors() {
    for (text, status) in [
        ("litellm.RateLimitError", 429),
        ("litellm.ContextWindowExceededError", 400),
        ("litellm.InternalServerError", 500),
        ("litellm.Timeout", 408),
        ("Exception: content_filter_policy", 400),
    ] {
        let mock = mock(json!({"mock_response": text}));
        for stream in [false, true] {
            let said = mock.say(&asked(stream, 1));
            assert_eq!(
                (said.status, said.is_event_stream),
                (status, false),
                "{text}"
            );
            assert!(body(&said)["error"]["message"].is_string());
        }
    }
    let breaks_off = mock(json!({"mock_response": "Exception: mock_streaming_error"}));
    assert_eq!(breaks_off.say(&asked(false, 1)).status, 529);
    let events = events(&breaks_off.say(&asked(true, 1)));
    assert_eq!(events[0]["choices"][0]["delta"]["content"], "This is");
    assert!(events[1]["error"].is_object());
}

#[test]
fn text_completions() {
    let mock = Mock::text("Hello there");
    let asked = |stream| Asked {
        operation: Operation::Completion,
        prompts: 3,
        ..asked(stream, 2)
    };
    let whole = body(&mock.say(&asked(false)));
    assert_eq!(whole["object"], "text_completion");
    assert_eq!(whole["choices"].as_array().unwrap().len(), 6);
    let last =
        json!({"index": 5, "text": "Hello there", "logprobs": null, "finish_reason": "stop"});
    assert_eq!(whole["choices"][5], last);
    assert_eq!(whole["usage"]["completion_tokens"], 12);
    let said = mock.say(&asked(true));
    let events = events(&said);
    let text: String = events
        .iter()
        .filter(|event| event["choices"][0]["index"] == 4)
        .filter_map(|event| event["choices"][0]["text"].as_str())
        .collect();
    assert_eq!(text, "Hello there");
    assert_eq!(events.last().unwrap()["usage"]["completion_tokens"], 12);
    let written = json!({"choices": [{"text": "Hi", "index": 0}]});
    let written = self::mock(json!({"mock_response": written}));
    assert_eq!(written.spoken(), "Hi");
    assert_eq!(
        body(&written.say(&asked(false)))["choices"][0]["text"],
        "Hi"
    );
}

#[test]
fn embeddings() {
    let asked = |dimensions, base64| Asked {
        operation: Operation::Embedding,
        prompts: 3,
        dimensions,
        base64,
        ..asked(false, 1)
    };
    let two = mock(json!({"mock_response": [[1, 2.5], [3, 4]]}));
    let answer = body(&two.say(&asked(None, false)));
    assert_eq!(answer["object"], "list");
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": 5, "total_tokens": 5})
    );
    let vectors: Vec<&Value> = answer["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["embedding"])
        .collect();
    assert_eq!(
        vectors,
        [&json!([1.0, 2.5]), &json!([3.0, 4.0]), &json!([1.0, 2.5])]
    );
    let answer = body(&two.say(&asked(Some(1), false)));
    assert_eq!(answer["data"][1]["embedding"], json!([3.0]));
    // 1.0 and 2.5 as little-endian floats of four bytes.
    let answer = body(&two.say(&asked(None, true)));
    assert_eq!(answer["data"][0]["embedding"], "AACAPwAAIEA=");
    let zeros = Mock::text("any");
    for (dimensions, length) in [(None, 1536), (Some(8), 8)] {
        let answer = body(&zeros.say(&asked(dimensions, false)));
        assert_eq!(
            answer["data"][2]["embedding"].as_array().unwrap().len(),
            length
        );
    }
    let many = Asked {
        prompts: 10_000,
        ..asked(None, false)
    };
    assert_eq!(zeros.say(&many).status, 400);
    assert_eq!(two.say(&self::asked(false, 1)).status, 400);
}
