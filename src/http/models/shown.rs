//! What lists of models tell of one beside its name.

use std::sync::Arc;

use crate::router::{Asker, Deployment, RoutingTable};

/// A group or an alias. Any of the group's deployments may serve a call: it can do what all of them can.
pub struct Shown {
    pub name: Arc<str>,
    /// Tokens of input; `None` where it is known of no deployment.
    pub max_input_tokens: Option<u64>,
    /// Tokens of output; `None` likewise.
    pub max_output_tokens: Option<u64>,
    pub reasons: bool,
    pub sees_images: bool,
    pub calls_in_parallel: bool,
    /// Answers in words: it is no embedding model, say.
    pub chats: bool,
}

/// What the configuration and the catalogue know of a name.
pub fn shown(table: &RoutingTable, name: &str, asker: Asker<'_>) -> Shown {
    let destination = table.resolve(name, asker);
    let group = destination.ok().and_then(|to| table.group(to.group));
    let members = group.iter().flat_map(|group| &group.members);
    let members: Vec<&Deployment> = members
        .filter_map(|member| Some(&**table.deployment(member.deployment)?))
        .collect();
    let rows: Vec<_> = members.iter().map(|member| member.listed()).collect();
    let all = |flag: &str| {
        let has = |row: &Option<_>| {
            row.as_ref()
                .and_then(|row: &crate::catalog::ModelEntry| row.flag(flag))
        };
        !rows.is_empty() && rows.iter().all(|row| has(row) == Some(true))
    };
    let both = || members.iter().zip(&rows);
    let least = |figures: &mut dyn Iterator<Item = Option<u64>>| figures.flatten().min();
    let mode = both().find_map(|(member, row)| {
        let own = member.entry.model_info.mode.as_deref();
        own.or(row.as_ref().and_then(|row| row.mode))
    });
    Shown {
        name: name.into(),
        max_input_tokens: least(&mut both().map(|(member, row)| {
            let own = member.entry.model_info.max_input_tokens;
            own.or(row.as_ref().and_then(|row| row.max_input_tokens))
        })),
        max_output_tokens: least(&mut both().map(|(member, row)| {
            let own = member.entry.model_info.max_output_tokens;
            own.or(row.as_ref().and_then(|row| row.max_output_tokens))
        })),
        reasons: all("supports_reasoning"),
        sees_images: all("supports_vision"),
        calls_in_parallel: all("supports_parallel_function_calling"),
        chats: matches!(mode, None | Some("chat" | "responses")),
    }
}
