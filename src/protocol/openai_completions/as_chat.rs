//! A text completion asked of a model that only chats: the prompt is what the user says, and what the assistant says is the
//! text. What a chat cannot do (continue token ids, several prompts, a suffix) is refused rather than left out.

use serde_json::value::RawValue;

use crate::protocol::json::{quoted, raw_fields};

/// Why a text completion cannot be asked as a chat. Each text ends the sentence "this model only chats, so".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAChat {
    #[error("the body must be an object")]
    NotAnObject,
    #[error("'prompt' must be one string, not token ids or several prompts")]
    Prompt,
    #[error("'suffix' must be absent or empty")]
    Suffix,
    #[error("'echo' must be absent or false")]
    Echo,
    #[error("'logprobs' must be absent")]
    Logprobs,
}

/// The chat request for a text completion's body; all fields that both know stay as they are.
pub fn request(body: &[u8]) -> Result<Vec<u8>, NotAChat> {
    let fields = raw_fields(body).map_err(|_| NotAChat::NotAnObject)?;
    let mut out = vec![b'{'];
    for (key, value) in &fields {
        let text = value.get();
        let is_blank = matches!(text, "null" | "false" | "\"\"");
        let (key, value) = match key.as_str() {
            "prompt" => {
                let said = one_string(value).ok_or(NotAChat::Prompt)?;
                let said = format!(r#"[{{"role":"user","content":{said}}}]"#);
                ("messages", said)
            }
            "suffix" | "echo" | "logprobs" if is_blank => continue,
            "suffix" => return Err(NotAChat::Suffix),
            "echo" => return Err(NotAChat::Echo),
            "logprobs" => return Err(NotAChat::Logprobs),
            // The best of several is a matter of the provider's; one answer is the best of one.
            "best_of" => continue,
            key => (key, text.to_owned()),
        };
        field(key, &value, &mut out);
    }
    out.push(b'}');
    Ok(out)
}

/// The text completion that a chat's answer stands for. `None` when it is no object with choices.
pub fn answer(body: &[u8]) -> Option<Vec<u8>> {
    let fields = raw_fields(body).ok()?;
    let mut out = vec![b'{'];
    for (key, value) in &fields {
        match key.as_str() {
            "object" => field(key, "\"text_completion\"", &mut out),
            "choices" => {
                let choices: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                let choices: Option<Vec<Vec<u8>>> = choices
                    .iter()
                    .map(|choice| self::choice(choice, "message"))
                    .collect();
                let choices = [b"[", &choices?.join(&b',')[..], b"]"].concat();
                field(key, std::str::from_utf8(&choices).ok()?, &mut out);
            }
            _ => field(key, value.get(), &mut out),
        }
    }
    out.push(b'}');
    Some(out)
}

/// One choice with the content of its `said` (`message`, or a stream's `delta`) as its text.
pub fn choice(choice: &RawValue, said: &str) -> Option<Vec<u8>> {
    let fields = raw_fields(choice.get().as_bytes()).ok()?;
    let mut out = vec![b'{'];
    for (key, value) in &fields {
        match key.as_str() {
            _ if key == said => field("text", &content(value)?, &mut out),
            // A chat's are of another form, and were not asked for.
            "logprobs" => field(key, "null", &mut out),
            _ => field(key, value.get(), &mut out),
        }
    }
    out.push(b'}');
    Some(out)
}

/// The `content` of a message as JSON: a string, empty when there is none.
fn content(message: &RawValue) -> Option<String> {
    if message.get() == "null" {
        return Some("\"\"".to_owned());
    }
    let fields = raw_fields(message.get().as_bytes()).ok()?;
    let content = fields.iter().find(|(key, _)| key == "content");
    let text = content.map(|(_, value)| value.get());
    Some(
        text.filter(|text| text.starts_with('"'))
            .unwrap_or("\"\"")
            .to_owned(),
    )
}

/// The string itself, or the only one of a list, as JSON.
fn one_string(value: &RawValue) -> Option<String> {
    if value.get().starts_with('"') {
        return Some(value.get().to_owned());
    }
    match *serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()? {
        [only] if only.get().starts_with('"') => Some(only.get().to_owned()),
        _ => None,
    }
}

fn field(key: &str, value: &str, out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(&quoted(key));
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> Result<String, NotAChat> {
        request(body.as_bytes()).map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn requests() {
        let messages = r#""messages":[{"role":"user","content":"a\n\u00e9"}]"#;
        for prompt in [r#""a\n\u00e9""#, r#"[ "a\n\u00e9" ]"#] {
            let body = format!(
                r#"{{"model":"m","prompt":{prompt},"n":2,"best_of":3,"echo":false,"suffix":null,"logprobs":null,"temperature":0.50,"x":1e400}}"#
            );
            let expected =
                format!(r#"{{"model":"m",{messages},"n":2,"temperature":0.50,"x":1e400}}"#);
            assert_eq!(asked(&body).unwrap(), expected);
        }
        for (body, why) in [
            (r#"{"prompt":["a","b"]}"#, NotAChat::Prompt),
            (r#"{"prompt":[1,2]}"#, NotAChat::Prompt),
            (r#"{"prompt":"a","suffix":"b"}"#, NotAChat::Suffix),
            (r#"{"prompt":"a","echo":true}"#, NotAChat::Echo),
            (r#"{"prompt":"a","logprobs":3}"#, NotAChat::Logprobs),
        ] {
            assert_eq!(asked(body), Err(why), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            let _ = request(&body);
            answer(&body);
        }
    }

    #[test]
    fn answers() {
        let chat = r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a\u00e9"},"logprobs":{},"finish_reason":"stop"},{"index":1,"message":{"content":null},"finish_reason":"length"}],"usage":{"total_tokens":1.0}}"#;
        let text = r#"{"id":"c","object":"text_completion","choices":[{"index":0,"text":"a\u00e9","logprobs":null,"finish_reason":"stop"},{"index":1,"text":"","finish_reason":"length"}],"usage":{"total_tokens":1.0}}"#;
        assert_eq!(answer(chat.as_bytes()).unwrap(), text.as_bytes());
        assert_eq!(answer(b"[]"), None);
        assert_eq!(answer(br#"{"choices":5}"#), None);
    }
}
