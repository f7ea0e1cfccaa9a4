//! `docs/configuration.md` says what the table says.

use std::fmt::Write;
use std::path::Path;

use super::super::fields::{self, Place, Status};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
const BEGIN: &str = "<!-- fields:begin (written by a test, see the end of the page) -->\n";
const END: &str = "<!-- fields:end -->\n";
/// Set to write the page instead of comparing it.
const WRITE: &str = "POINTSMAN_WRITE_DOCS";

/// What stands between the marks.
fn tables() -> String {
    let mut text = String::new();
    for place in Place::ALL {
        let title = match place {
            Place::Top => "Top level".to_owned(),
            Place::ModelEntry => "An entry of `model_list`".to_owned(),
            _ => format!("`{}`", place.section_name()),
        };
        let of_place = fields::known_fields().filter(|field| field.place == place);
        let rows = of_place.map(|field| (field.name, field.status, field.default, field.meaning));
        table(&mut text, &title, "field", rows);
    }
    let variables = fields::known_variables();
    let rows = variables.map(|row| (row.name, row.status, row.default, row.meaning));
    table(&mut text, "Environment", "variable", rows);
    text
}

type Cells = (&'static str, Status, Option<&'static str>, &'static str);

fn table(text: &mut String, title: &str, what: &str, rows: impl Iterator<Item = Cells>) {
    let rows: Vec<Cells> = rows.collect();
    let _ = writeln!(text, "### {title}\n");
    let of = |status| rows.iter().filter(move |(_, own, _, _)| *own == status);
    if of(Status::Obeyed).next().is_some() {
        let _ = writeln!(text, "| {what} | default | meaning |\n|---|---|---|");
        for (name, _, default, meaning) in of(Status::Obeyed) {
            let default = default.unwrap_or("–");
            let _ = writeln!(text, "| `{name}` | {default} | {meaning} |");
        }
        text.push('\n');
    }
    for (status, words) in [
        (Status::NotYet, "Known, without effect in this version"),
        (Status::Accepted, "Known, with nothing to do here"),
    ] {
        let names: Vec<String> = of(status)
            .map(|(name, _, _, meaning)| format!("| `{name}` | {meaning} |"))
            .collect();
        if names.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "<details><summary>{words}: {}</summary>\n\n| {what} | LiteLLM's meaning |\n|---|---|\n{}\n\n</details>\n",
            names.len(),
            names.join("\n")
        );
    }
}

#[test]
fn the_page_has_every_field() {
    let page = std::fs::read_to_string(Path::new(PAGE)).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the first mark");
    let (written, after) = rest.split_once(END).expect("the last mark");
    let expected = format!("\n{}", tables());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert!(
        written == expected,
        "docs/configuration.md is not what the table says: {WRITE}=1 cargo test --lib config:: writes it"
    );
}
