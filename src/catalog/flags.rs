//! Capability flags: LiteLLM's boolean fields and the catalogue's codes for them.

/// Codes that differ from their field. Any other code is `supports_` and the code, or `=` and the whole field name.
const SHORT: [(&str, &str); 18] = [
    ("ain", "supports_audio_input"),
    ("aout", "supports_audio_output"),
    ("cache", "supports_prompt_caching"),
    ("cu", "supports_computer_use"),
    ("embimg", "supports_embedding_image_input"),
    ("fc", "supports_function_calling"),
    ("pdf", "supports_pdf_input"),
    ("pfc", "supports_parallel_function_calling"),
    ("prefill", "supports_assistant_prefill"),
    ("reason", "supports_reasoning"),
    ("schema", "supports_response_schema"),
    ("stream", "supports_native_streaming"),
    ("sys", "supports_system_messages"),
    ("tc", "supports_tool_choice"),
    ("url", "supports_url_context"),
    ("vin", "supports_video_input"),
    ("vis", "supports_vision"),
    ("web", "supports_web_search"),
];

/// The field a code stands for, as prefix and rest.
fn field_of(code: &str) -> (&'static str, &str) {
    if let Some(field) = code.strip_prefix('=') {
        return ("", field);
    }
    match SHORT.iter().find(|(short, _)| *short == code) {
        Some((_, field)) => (field, ""),
        None => ("supports_", code),
    }
}

/// Whether a flag list states `field` true or false; `None` when it says nothing about it.
pub(super) fn get(list: &str, field: &str) -> Option<bool> {
    entries(list)
        .find_map(|((prefix, rest), value)| (field.strip_prefix(prefix)? == rest).then_some(value))
}

/// All flags of a list under their field names.
pub(super) fn all(list: &str) -> impl Iterator<Item = (String, bool)> + '_ {
    entries(list).map(|((prefix, rest), value)| (format!("{prefix}{rest}"), value))
}

fn entries(list: &str) -> impl Iterator<Item = ((&'static str, &str), bool)> {
    list.split(',')
        .filter(|code| !code.is_empty())
        .map(|code| match code.strip_prefix('!') {
            Some(code) => (field_of(code), false),
            None => (field_of(code), true),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_by_field() {
        let list = "=thinking_always_on,adaptive_thinking,cache,!pfc";
        assert_eq!(get(list, "thinking_always_on"), Some(true));
        assert_eq!(get(list, "supports_adaptive_thinking"), Some(true));
        assert_eq!(get(list, "supports_prompt_caching"), Some(true));
        assert_eq!(get(list, "supports_parallel_function_calling"), Some(false));
        assert_eq!(get(list, "supports_vision"), None);
        assert_eq!(get("", "supports_vision"), None);
        assert_eq!(all(list).count(), 4);
        assert_eq!(
            all("!vis").next(),
            Some(("supports_vision".to_owned(), false))
        );
    }
}
