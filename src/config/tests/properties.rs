//! Whatever the text: it is read or refused, never a panic, and every remark has a place.

use proptest::prelude::*;

use super::env;
use crate::config::{Config, LoadError, fields};

/// Text that looks like a configuration often enough to get past the parser.
fn yamlish() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "model_list",
        "litellm_params",
        "model_name",
        "model",
        "rpm",
        "general_settings",
        "router_settings",
        "model_info",
        "api_base",
        "extra_headers",
        "environment_variables",
        "litellm_settings",
        "id",
        "input_cost_per_token",
        "<<",
        "openai/gpt-4o",
        "os.environ/RPM",
        "1",
        "-1",
        ".nan",
        "true",
        "~",
        "\"",
        "'",
        "&a",
        "*a",
        "[",
        "]",
        "{",
        "}",
        ",",
        "|",
        ">",
        "!!int",
        "---",
        "é",
        "\u{feff}",
        "\t",
        "#",
        "?",
        ":",
        "- ",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "\n- ",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match Config::from_text("c.yaml", text, &env) {
        Ok(loaded) => {
            for diagnostic in loaded.diagnostics {
                prop_assert!(
                    diagnostic.line >= 1 && diagnostic.column >= 1,
                    "{diagnostic}"
                );
            }
        }
        Err(LoadError::Invalid(diagnostic)) => prop_assert!(
            diagnostic.line >= 1 && diagnostic.column >= 1,
            "{diagnostic}"
        ),
        Err(_) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        check(&text)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn anything_like_yaml_is_read_or_refused(text in yamlish()) {
        check(&text)?;
    }

    #[test]
    fn any_value_anywhere_is_read_or_refused(
        value in prop::sample::select(vec![
            "null", "[]", "{}", "[1]", "{a: 1}", "x", "-1", "1e400", ".inf", "99999999999999999999999999999999999999999",
            "1.0e+300", "''", "os.environ/NONE", "os.environ/SHOUT", "0x", "2024-01-01", "[[[]]]",
        ]),
        field in prop::sample::select(fields::known_fields().collect::<Vec<_>>()),
    ) {
        let name = field.name;
        let (before, after) = match field.place {
            fields::Place::Top => (String::new(), ""),
            fields::Place::ModelEntry => ("model_list: [{".into(), "}]"),
            fields::Place::LitellmParams => ("model_list: [{model_name: m, litellm_params: {model: gpt-4o, ".into(), "}}]"),
            fields::Place::ModelInfo => ("model_list: [{model_name: m, litellm_params: {model: gpt-4o}, model_info: {".into(), "}}]"),
            place => (format!("{}: {{", place.section_name()), "}"),
        };
        check(&format!("{before}'{name}': {value}{after}"))?;
    }
}
