//! A mock's answer to a text completion: `text_completion`, whole or streamed; one choice a prompt and `n`.

use serde_json::{Map, Value, json};

use super::frame::{cut, event, filled, stream, usage};
use super::{Asked, Said};

/// A text, the same in every choice.
pub fn text(text: &str, asked: &Asked<'_>) -> Said {
    let choices = asked.choices.saturating_mul(asked.prompts);
    if asked.stream {
        return streamed(text, choices, asked);
    }
    let all = (0..choices).map(|index| choice(index, text, Some("stop")));
    let mut answer = answer(asked, all.collect());
    answer["usage"] = usage(asked, choices);
    Said::whole(200, &answer)
}

/// A whole answer as somebody wrote it.
pub fn object(written: &Map<String, Value>, asked: &Asked<'_>) -> Said {
    if asked.stream {
        return streamed(content(written), 1, asked);
    }
    let fields = [
        ("id", id(asked).into()),
        ("object", "text_completion".into()),
        ("created", asked.created.into()),
        ("model", asked.model.into()),
        ("usage", usage(asked, 1)),
    ];
    filled(written, fields)
}

/// The text of the first choice of a whole answer.
pub fn content(answer: &Map<String, Value>) -> &str {
    let choice = answer.get("choices").and_then(|choices| choices.get(0));
    choice
        .and_then(|choice| choice.get("text")?.as_str())
        .unwrap_or_default()
}

fn streamed(text: &str, choices: u64, asked: &Asked<'_>) -> Said {
    let mut pieces = Vec::new();
    let mut say = |text: &str, reason: Option<&str>| {
        for index in 0..choices {
            let choices = vec![choice(index, text, reason)];
            pieces.push(event(&answer(asked, choices)));
        }
    };
    for text in cut(text, choices) {
        say(text, None);
    }
    say("", Some("stop"));
    let mut last = answer(asked, Vec::new());
    last["usage"] = usage(asked, choices);
    pieces.push(event(&last));
    stream(pieces)
}

fn choice(index: u64, text: &str, reason: Option<&str>) -> Value {
    json!({"index": index, "text": text, "logprobs": null, "finish_reason": reason})
}

fn answer(asked: &Asked<'_>, choices: Vec<Value>) -> Value {
    json!({
        "id": id(asked),
        "object": "text_completion",
        "created": asked.created,
        "model": asked.model,
        "choices": choices,
    })
}

fn id(asked: &Asked<'_>) -> String {
    format!("cmpl-{}", asked.id)
}
