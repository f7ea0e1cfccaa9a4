//! A room imports only rooms above it, in the order of ARCHITECTURE.md's table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms in their order, row by row.
fn rooms() -> Vec<String> {
    let text = include_str!("../../ARCHITECTURE.md");
    let section = text.split("\n## Rooms\n").nth(1).expect("a section Rooms");
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|names| names.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

/// All of a folder's Rust files.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The text without comments, and with nothing in its strings.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' if in_string => {
                    letters.next();
                }
                '"' => in_string = !in_string,
                '/' if !in_string && letters.peek() == Some(&'/') => break,
                _ if in_string => {}
                letter => code.push(letter),
            }
        }
        code.push('\n');
    }
    code
}

/// The first names behind `crate::`, also in braces, with their line.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let behind = &code[at + "crate::".len()..];
        let names = match behind.strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![name(behind)],
        };
        found.extend(names.into_iter().map(|name| (line, name)));
    }
    found
}

fn name(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

/// `a::{b, c}, d` → a, d: up to the brace that closes the group.
fn first_names(group: &str) -> Vec<String> {
    let mut names = vec![name(group)];
    let mut depth = 0;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Names reached from the crate's root by enough `super`s at the beginning of a line, in a file so deep.
fn escapes(code: &str, depth: usize) -> Vec<(usize, String)> {
    let is_escape = |line: &str| -> Option<String> {
        let path = line.strip_prefix("pub ").unwrap_or(line);
        let path = path.strip_prefix("use ")?;
        let rest = path.trim_start_matches("super::");
        let supers = (path.len() - rest.len()) / "super::".len();
        (supers >= depth).then(|| name(rest))
    };
    code.lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, is_escape(line)?)))
        .collect()
}

#[test]
fn arrows_point_down_between_rooms() {
    let rooms = rooms();
    let place = |name: &str| rooms.iter().position(|room| room == name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in files(&source) {
        let inside = file.strip_prefix(&source).expect("a file of src");
        let parts: Vec<_> = inside.iter().filter_map(|part| part.to_str()).collect();
        let room = parts[0].trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let Some(own) = place(room) else {
            panic!("the room {room} stands in no row of ARCHITECTURE.md's table")
        };
        seen.insert(room.to_owned());
        let is_door = parts.last() == Some(&"mod.rs");
        let code = code(&std::fs::read_to_string(&file).expect("a source file"));
        let mut all = imports(&code);
        all.extend(escapes(&code, parts.len() - usize::from(is_door)));
        for (line, target) in all {
            match place(&target) {
                Some(target) if target <= own => {}
                Some(_) => wrong.push(format!(
                    "src/{}:{line}: {room} imports {target}, which stands below it",
                    inside.display()
                )),
                None => wrong.push(format!(
                    "src/{}:{line}: crate::{target} is no room",
                    inside.display()
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unseen: Vec<_> = rooms.iter().filter(|room| !seen.contains(*room)).collect();
    assert!(unseen.is_empty(), "rooms without a file: {unseen:?}");
}

#[test]
fn the_crate_declares_its_rooms_in_order() {
    let declared: Vec<_> = include_str!("../../src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(declared, rooms());
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let text = r#"
use crate::types::Secret;
pub use crate::{auth::{Caller, Known}, store, limits::*};
// crate::comment is none
fn f() -> crate::http::ApiError { let url = "crate::string"; $crate::macros!(url) }
"#;
    let found: Vec<_> = imports(&code(text));
    let expected = [
        (2, "types"),
        (3, "auth"),
        (3, "store"),
        (3, "limits"),
        (5, "http"),
    ];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
    let up = "use super::super::auth::Caller;\nuse super::route::Route;\n";
    assert_eq!(escapes(up, 2), [(1, "auth".to_owned())]);
}
