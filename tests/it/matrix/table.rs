//! The README's table of protocols.
//!
//! It is written by the test here when `POINTSMAN_WRITE_README` is set, and compared otherwise, so that it says what was seen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::{Cell, Family, Field, Protocol, asks};
use crate::harness::json;

const BEGIN: &str = "<!-- protocols:begin -->\n";
const END: &str = "<!-- protocols:end -->";

fn client(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Chat => "Chat Completions",
        Protocol::Messages => "Anthropic Messages",
        Protocol::Responses => "OpenAI Responses",
    }
}

fn upstream(family: Family) -> &'static str {
    match family {
        Family::Compatible => "OpenAI-compatible",
        Family::OpenAi => "OpenAI",
        Family::Azure => "Azure OpenAI",
        Family::Anthropic => "Anthropic",
    }
}

/// Text, thoughts and a tool over two turns; the protocol in which the upstream was asked.
fn talk(cell: &Cell<'_>) -> Protocol {
    let call = json!({"type": "tool_use", "id": "toolu_01", "name": "weather", "arguments": "{\"city\":\"Bern\"}"});
    cell.behave(&json!({"turns": [
        {"blocks": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "One moment."}, call]},
        {"content": "Rain."},
    ]}));
    let asked = cell.first(true, true);
    let (told, _) = cell.ask(&asked);
    assert_eq!((told.text.as_str(), told.calls.len()), ("One moment.", 1));
    let wire = Protocol::of(&cell.sent().path);
    let (told, _) = cell.ask(&asks::with_results(cell.client, &asked, &told));
    assert_eq!(told.text, "Rain.");
    wire
}

#[test]
fn the_readme_tells_how_each_protocol_gets_across() {
    let field = Field::new();
    let seen: RefCell<BTreeMap<(usize, usize), Protocol>> = RefCell::default();
    field.each(|cell| {
        let wire = talk(cell);
        let row = Protocol::ALL.iter().position(|own| *own == cell.client);
        let column = Family::ALL.iter().position(|own| *own == cell.family);
        let place = (row.expect("a row"), column.expect("a column"));
        let before = seen.borrow_mut().insert(place, wire);
        assert!(
            before.is_none_or(|before| before == wire),
            "whole and streamed go different ways"
        );
    });
    let seen = seen.into_inner();
    let mut table = "| client speaks".to_owned();
    table.extend(Family::ALL.map(|family| format!(" | {}", upstream(family))));
    table += " |\n|---|---|---|---|---|\n";
    for (row, protocol) in Protocol::ALL.into_iter().enumerate() {
        table += &format!("| {}", client(protocol));
        for column in 0..Family::ALL.len() {
            let wire = seen[&(row, column)];
            let how = if wire == protocol {
                "passed through".to_owned()
            } else {
                format!("as {}", client(wire))
            };
            table += &format!(" | {how}");
        }
        table += " |\n";
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let wanted = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("POINTSMAN_WRITE_README").is_some() {
        std::fs::write(&path, wanted).expect("README.md");
        return;
    }
    assert!(
        readme == wanted,
        "the README's table of protocols is not what is seen: run `POINTSMAN_WRITE_README=1 cargo test --test it matrix::table`\n{table}"
    );
}
