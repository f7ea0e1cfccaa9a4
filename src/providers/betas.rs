//! Anthropic's betas: which of those that a call asks for its provider is told.
//!
//! Anthropic itself is told all of them, and so is another gateway. Others refuse what they do not know: `betas.tsv` has a line
//! a beta with a column a provider: `=` it is told, another name for it, or nothing. Source: LiteLLM 1.106.2.

use crate::types::Secret;

use super::anthropic::{OAUTH_BETA, is_oauth_token};

const TEXT: &str = include_str!("betas.tsv");

/// Most betas that a client can ask for, and the longest name of one in bytes.
const MOST: usize = 64;
const LONGEST: usize = 128;

/// What a deployment makes of betas; compiled once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Betas {
    tells_all: bool,
    /// Names as clients know them, with the provider's.
    told: Vec<(&'static str, &'static str)>,
    /// What every call asks for.
    own: Vec<String>,
}

/// What becomes of the betas of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// For the header `anthropic-beta`: a comma list; `None` where there is nothing to tell.
    pub sent: Option<String>,
    /// Asked for by the client and not told, as the client wrote them.
    pub dropped: Vec<String>,
}

impl Betas {
    /// For a provider and the key it is called with; `own` are lists of betas that the configuration adds.
    pub fn of<'a>(
        provider: &str,
        key: Option<&Secret>,
        own: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut betas: Vec<String> = own
            .into_iter()
            .flat_map(listed)
            .map(str::to_owned)
            .collect();
        if key.is_some_and(is_oauth_token) {
            betas.push(OAUTH_BETA.to_owned());
        }
        Self {
            tells_all: matches!(provider, "anthropic" | "litellm_proxy"),
            told: column(provider),
            own: betas,
        }
    }

    /// Chooses among the betas that a client's `anthropic-beta` headers list and those that a body needs.
    pub fn select<'a>(
        &self,
        asked: impl IntoIterator<Item = &'a str>,
        needed: &[&'static str],
    ) -> Selected {
        let mut sent: Vec<&str> = Vec::new();
        let mut dropped: Vec<String> = Vec::new();
        for beta in asked.into_iter().flat_map(listed).take(MOST) {
            match self.name_of(beta) {
                Some(name) if !sent.contains(&name) => sent.push(name),
                Some(_) => {}
                None if !dropped.iter().any(|known| known == beta) => dropped.push(beta.to_owned()),
                None => {}
            }
        }
        let needed = needed.iter().filter_map(|beta| self.name_of(beta));
        for beta in needed.chain(self.own.iter().map(String::as_str)) {
            if !sent.contains(&beta) {
                sent.push(beta);
            }
        }
        Selected {
            sent: (!sent.is_empty()).then(|| sent.join(",")),
            dropped,
        }
    }

    /// The provider's name for a beta; `None` for one that it is not told.
    fn name_of<'b>(&self, beta: &'b str) -> Option<&'b str> {
        if self.tells_all {
            return Some(beta);
        }
        let (_, name) = self.told.iter().find(|(known, _)| *known == beta)?;
        Some(name)
    }
}

/// The names in a comma list; what could not be a name is passed over.
fn listed(list: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| {
        (1..=LONGEST).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    list.split(',').map(str::trim).filter(is_name)
}

fn column(provider: &str) -> Vec<(&'static str, &'static str)> {
    let mut lines = TEXT.lines();
    let head = lines.next().unwrap_or_default();
    let Some(place) = head.split('\t').position(|name| name == provider) else {
        return Vec::new();
    };
    let cell = |line: &'static str| {
        let mut cells = line.split('\t');
        let beta = cells.next()?;
        match cells.nth(place.checked_sub(1)?)? {
            "" => None,
            "=" => Some((beta, beta)),
            other => Some((beta, other)),
        }
    };
    lines.filter_map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let mut lines = TEXT.lines();
        let width = lines.next().unwrap().split('\t').count();
        let mut before = "";
        for line in lines {
            let cells: Vec<&str> = line.split('\t').collect();
            assert!(before < cells[0] && cells.len() <= width, "{line}");
            assert!(cells[1..].iter().any(|cell| !cell.is_empty()), "{line}");
            before = cells[0];
        }
    }

    #[test]
    fn betas_by_provider() {
        let oauth = Secret::new("sk-ant-oat01-x");
        for (provider, key, own, asked, needed, sent, dropped) in [
            (
                "anthropic",
                None,
                "",
                "new-1, context-1m-2025-08-07,new-1",
                vec![],
                "new-1,context-1m-2025-08-07",
                "",
            ),
            (
                "anthropic",
                Some(&oauth),
                "mine-1",
                "a-1",
                vec!["b-1", "a-1"],
                "a-1,b-1,mine-1,oauth-2025-04-20",
                "",
            ),
            ("anthropic", None, "", "", vec![], "", ""),
            (
                "azure_ai",
                None,
                "",
                "claude-code-20250219,interleaved-thinking-2025-05-14,new-1,new-1",
                vec!["fast-mode-2026-02-01", "web-fetch-2025-09-10"],
                "interleaved-thinking-2025-05-14,web-fetch-2025-09-10",
                "claude-code-20250219,new-1",
            ),
            (
                "bedrock_mantle",
                None,
                "",
                "advanced-tool-use-2025-11-20,tool-search-tool-2025-10-19",
                vec![],
                "tool-search-tool-2025-10-19",
                "",
            ),
            (
                "deepseek",
                None,
                "",
                "context-1m-2025-08-07",
                vec!["skills-2025-10-02"],
                "",
                "context-1m-2025-08-07",
            ),
            ("litellm_proxy", None, "", "new-1", vec![], "new-1", ""),
            (
                "anthropic",
                None,
                "",
                "a b,\u{e9},x\r\ny: z,ok",
                vec![],
                "ok",
                "",
            ),
        ] {
            let betas = Betas::of(provider, key, [own]);
            let selected = betas.select([asked], &needed);
            assert_eq!(
                selected.sent.unwrap_or_default(),
                sent,
                "{provider} {asked}"
            );
            assert_eq!(selected.dropped.join(","), dropped, "{provider} {asked}");
        }
        let many: Vec<String> = (0..1000).map(|number| format!("b{number}")).collect();
        let selected = Betas::of("anthropic", None, []).select([many.join(",").as_str()], &[]);
        assert_eq!(selected.sent.unwrap().split(',').count(), MOST);
    }
}
