//! What is kept of responses that clients may refer to, and who may: fields of `general_settings`.

use crate::policy::duration::{self, Span};

use super::read::Section;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseKeeping {
    /// How long a conversation is kept here after its last turn, for upstreams that keep none; `None`: not at all.
    pub retention: Option<Span>,
    /// Every caller may refer to every response.
    pub open_to_all: bool,
    /// A WebSocket lasts so long, in seconds: 60 to 7200.
    pub socket_seconds: u32,
}

impl Default for ResponseKeeping {
    fn default() -> Self {
        Self {
            // As long as OpenAI keeps responses.
            retention: "30d".parse().ok(),
            open_to_all: false,
            socket_seconds: 3600,
        }
    }
}

impl ResponseKeeping {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let usual = Self::default();
        Self {
            retention: retention(section, usual.retention),
            open_to_all: section
                .flag("disable_responses_id_security")
                .unwrap_or(usual.open_to_all),
            socket_seconds: section
                .small("responses_websocket_session_limit_seconds", 7200)
                .map_or(usual.socket_seconds, |seconds| seconds.max(60)),
        }
    }
}

fn retention(section: &Section<'_>, usual: Option<Span>) -> Option<Span> {
    const KEY: &str = "response_retention";
    let Some(text) = section.text(KEY) else {
        return usual;
    };
    if text == "0" {
        return None;
    }
    duration::parse_budget_duration(&text)
        .inspect_err(|_| {
            if let Some(node) = section.value(KEY) {
                section.expected(
                    KEY,
                    node,
                    "a duration such as `30d` or `12h`, or 0 to keep nothing",
                );
            }
        })
        .ok()
        .or(usual)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_sockets_life_is_bounded() {
        for (written, seconds) in [(None, 3600), (Some(1), 60), (Some(100), 100)] {
            let field = written.map(|n| {
                format!("general_settings: {{responses_websocket_session_limit_seconds: {n}}}\n")
            });
            let text = format!("model_list: []\n{}", field.unwrap_or_default());
            let loaded = Config::from_text("c.yaml", &text, &|_| None).unwrap();
            let keeping = loaded.config.general_settings.response_keeping;
            assert_eq!(keeping.socket_seconds, seconds, "{written:?}");
        }
    }
}
