//! Places in a request as clients of the Responses API know them: `input[3].output[0]`.

use super::asked::Places;

/// A path of `json_fields` in this spelling: numbers stand in brackets.
pub fn spelled(path: &str) -> String {
    let mut spelled = String::with_capacity(path.len() + 8);
    for (index, segment) in path.split('.').enumerate() {
        let is_number = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && index > 0 {
            spelled.push('[');
            spelled.push_str(segment);
            spelled.push(']');
            continue;
        }
        if index > 0 {
            spelled.push('.');
        }
        spelled.push_str(segment);
    }
    spelled
}

/// The client's place for a place in the messages and tools that were made of its request.
///
/// `messages.2.content.1` is the item that this block stems from: what is within an item is not told. Names of fields stay.
pub fn of_client(field: &str, leading: usize, places: &Places) -> String {
    let mut segments = field.split('.');
    let first = segments.next().unwrap_or_default();
    let number = segments
        .next()
        .and_then(|number| number.parse::<usize>().ok());
    let found = match (first, number) {
        ("messages", Some(message)) => {
            let blocks = message.checked_sub(leading);
            let blocks = blocks.and_then(|message| places.messages.get(message));
            let inner = segments
                .nth(1)
                .and_then(|number| number.parse::<usize>().ok());
            blocks.and_then(|blocks| {
                let place = blocks.get(inner.unwrap_or(0)).or(blocks.first())?;
                Some(format!("input[{place}]"))
            })
        }
        ("system", Some(block)) => places.system.get(block).cloned(),
        ("tools", Some(tool)) => places.tools.get(tool).map(|place| {
            let rest: Vec<&str> = segments.collect();
            match rest.is_empty() {
                true => place.clone(),
                false => format!("{place}.{}", spelled(&rest.join("."))),
            }
        }),
        ("messages", None) => Some("input".to_owned()),
        _ => renamed(field).map(str::to_owned),
    };
    found.unwrap_or_else(|| spelled(field))
}

/// Fields that this protocol has by another name.
fn renamed(field: &str) -> Option<&'static str> {
    Some(match field {
        "reasoning_effort" | "thinking" => "reasoning.effort",
        "verbosity" => "text.verbosity",
        "response_format" => "text.format",
        "max_tokens" | "max_completion_tokens" => "max_output_tokens",
        "web_search_options" => "tools",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_the_client() {
        let places = Places {
            system: vec!["instructions".to_owned(), "input[0]".to_owned()],
            messages: vec![vec![1], vec![2, 2, 4]],
            tools: vec!["tools[0]".to_owned(), "tools[1].tools[0]".to_owned()],
        };
        for (field, expected) in [
            ("messages.0.content.0", "input[1]"),
            ("messages.1.content.2.source", "input[4]"),
            ("messages.1.content", "input[2]"),
            ("messages.9.content.0", "messages[9].content[0]"),
            ("messages", "input"),
            ("system.1", "input[0]"),
            ("tools.1", "tools[1].tools[0]"),
            ("tools.0.cache.0", "tools[0].cache[0]"),
            ("reasoning_effort", "reasoning.effort"),
            ("seed", "seed"),
            ("input.3.output.0.x", "input[3].output[0].x"),
        ] {
            assert_eq!(of_client(field, 0, &places), expected);
        }
        assert_eq!(of_client("messages.2.content.0", 2, &places), "input[1]");
    }
}
