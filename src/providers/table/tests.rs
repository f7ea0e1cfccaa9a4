use std::collections::HashSet;

use super::*;
use crate::providers::origin::Origin;

#[test]
fn every_line_is_sound() {
    let mut names = HashSet::new();
    let mut before = "";
    let mut spoken = 0;
    for line in TEXT.lines() {
        let row = parse(line).unwrap_or_else(|wrong| panic!("{wrong}: {line}"));
        assert!(before < row.name, "`{}` is out of order", row.name);
        before = row.name;
        for name in std::iter::once(&row.name).chain(&row.aliases) {
            assert!(names.insert(*name), "{name} is there twice");
            assert!(!name.is_empty() && !name.contains('/'), "{name}");
            assert_eq!(find(name).map(|found| found.name), Some(row.name));
        }
        assert!(!row.title.is_empty(), "{line}");
        if row.protocol == Protocol::Own {
            assert_eq!(line.split('\t').count(), 3, "{line}");
            continue;
        }
        spoken += 1;
        assert!(!row.auth.is_empty(), "{line}");
        assert!(row.paths.iter().any(Option::is_some), "{line}");
        let is_path = |path: &&str| path.trim_start_matches("..").starts_with('/');
        assert!(row.paths.iter().flatten().all(is_path), "{line}");
        let is_variable = |name: &&str| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        };
        assert!(row.base_variables.iter().all(is_variable), "{line}");
        assert!(row.key_variables.iter().all(is_variable), "{line}");
        if let Some(base) = row.base {
            assert!(!base.ends_with('/'), "{line}");
            let filled = base.replace(['{', '}', '|'], "");
            let origin = Origin::of(&filled).unwrap_or_else(|| panic!("{base}"));
            assert!(origin.is_usual_tls() || origin.is_loopback(), "{base}");
            assert!(row.key_optional || !row.key_variables.is_empty(), "{line}");
        }
    }
    assert_eq!(spoken, 109);
    assert_eq!(all().count(), TEXT.lines().count());
    assert!(find(GENERIC).is_some());
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    for (line, wrong) in [
        ("x\tX\thttp", "unknown protocol 'http'"),
        (
            "x\tX\topenai\t\t\t\tbasic",
            "unknown way to send a key 'basic'",
        ),
        (
            "x\tX\topenai\t\t\t\tbearer\timages",
            "unknown operation 'images'",
        ),
        (
            "x\tX\topenai\t\t\t\tbearer\tchat\t\tflat",
            "unknown quirk 'flat'",
        ),
        (
            "x\tX\topenai\t\t\t\tbearer\tchat\t\t\tmore",
            "a column too many: 'more'",
        ),
    ] {
        assert_eq!(parse(line).err().as_deref(), Some(wrong));
    }
}
