//! What the newcomer's files say is so.
//!
//! `docs/litellm-routes.tsv` tells of each of LiteLLM's routes whether it is served, the README of each area. Both are written
//! by a test here when `POINTSMAN_WRITE_README` is set, and compared with the routes of the binary otherwise, so that neither
//! promises what is not there nor hides what is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pointsman::config::{Config, Severity};
use pointsman::http::routes;

const BEGIN: &str = "<!-- routes:begin -->\n";
const END: &str = "<!-- routes:end -->";

/// Operations of LiteLLM 1.106.2 that most (tier 1) or many (tier 2) installations use.
struct Operation {
    tier: u8,
    area: String,
    method: String,
    path: String,
    served: bool,
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The path with every parameter named alike: `{model:path}` and `{model:.+}` are the same.
fn shape(path: &str) -> String {
    let mut shape = String::new();
    let mut inside = false;
    for letter in path.chars() {
        match letter {
            '{' => {
                inside = true;
                shape.push('{');
            }
            '}' => {
                inside = false;
                shape.push('}');
            }
            _ if inside => {}
            letter => shape.push(letter),
        }
    }
    shape
}

fn operations() -> Vec<Operation> {
    let served: BTreeSet<_> = routes()
        .map(|route| (route.method.to_string(), shape(route.path)))
        .collect();
    let text = std::fs::read_to_string(file("docs/litellm-routes.tsv")).expect("the list");
    text.lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split('\t').map(str::to_owned);
            let mut cell = || cells.next().expect("five cells a line");
            let tier = cell().parse().expect("a tier");
            let (area, method, path) = (cell(), cell(), cell());
            let served = served.contains(&(method.clone(), shape(&path)));
            Operation {
                tier,
                area,
                method,
                path,
                served,
            }
        })
        .collect()
}

fn list(operations: &[Operation]) -> String {
    let mut text = "tier\tarea\tmethod\tpath\tserved\n".to_owned();
    for operation in operations {
        let Operation {
            tier,
            area,
            method,
            path,
            served,
        } = operation;
        let served = if *served { "yes" } else { "no" };
        writeln!(text, "{tier}\t{area}\t{method}\t{path}\t{served}").expect("text");
    }
    text
}

/// Served and all, of tier 1 and of tier 2.
#[derive(Default)]
struct Counts([(usize, usize); 2]);

impl Counts {
    fn add(&mut self, operation: &Operation) {
        let (served, all) = &mut self.0[usize::from(operation.tier - 1)];
        *served += usize::from(operation.served);
        *all += 1;
    }

    fn cells(&self) -> String {
        let cell = |(served, all): (usize, usize)| match all {
            0 => "–".to_owned(),
            _ => format!("{served} of {all}"),
        };
        format!("{} | {}", cell(self.0[0]), cell(self.0[1]))
    }
}

fn table(operations: &[Operation]) -> String {
    let mut areas: BTreeMap<&str, Counts> = BTreeMap::new();
    let mut total = Counts::default();
    for operation in operations {
        areas.entry(&operation.area).or_default().add(operation);
        total.add(operation);
    }
    let (begun, open): (Vec<_>, Vec<_>) = areas
        .into_iter()
        .partition(|(_, counts)| counts.0.iter().any(|(served, _)| *served > 0));
    let mut text = "| area | used by most | used by many |\n|---|---|---|\n".to_owned();
    for (area, counts) in begun {
        writeln!(text, "| {area} | {} |", counts.cells()).expect("text");
    }
    writeln!(text, "| **all areas** | {} |", total.cells()).expect("text");
    let open: Vec<_> = open.into_iter().map(|(area, _)| area).collect();
    writeln!(text, "\nNothing yet of: {}.", open.join(", ")).expect("text");
    text
}

#[test]
fn the_list_and_the_readme_tell_what_is_served() {
    let operations = operations();
    assert!(operations.len() > 500, "a list of {}", operations.len());
    let readme = std::fs::read_to_string(file("README.md")).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table(&operations));
    let list = list(&operations);
    if std::env::var_os("POINTSMAN_WRITE_README").is_some() {
        std::fs::write(file("docs/litellm-routes.tsv"), &list).expect("the list");
        std::fs::write(file("README.md"), &wanted).expect("README.md");
        return;
    }
    let hint = "run `POINTSMAN_WRITE_README=1 cargo test --test it readme::`";
    let written = std::fs::read_to_string(file("docs/litellm-routes.tsv")).expect("the list");
    assert!(
        written == list,
        "docs/litellm-routes.tsv is not what is served: {hint}"
    );
    assert!(
        readme == wanted,
        "the README's table is not what is served: {hint}"
    );
}

#[test]
fn parameters_are_compared_by_place() {
    assert_eq!(
        shape("/engines/{model:path}/x"),
        shape("/engines/{model:.+}/x")
    );
    assert_ne!(shape("/key/{key}"), shape("/key/list"));
}

/// What stands between `start` and the next fence.
fn block<'a>(text: &'a str, start: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect("a block");
    rest.split("```").next().unwrap_or_default()
}

#[test]
fn the_readmes_configuration_is_one() {
    let readme = std::fs::read_to_string(file("README.md")).expect("README.md");
    let env = |name: &str| {
        let is_key = ["OPENAI_API_KEY", "LITELLM_MASTER_KEY"].contains(&name);
        is_key.then(|| "sk-a-key-of-somebody".to_owned())
    };
    let loaded = Config::from_text("README.md", block(&readme, "```yaml\n"), &env);
    let loaded = loaded.expect("a configuration");
    let mut wrong = loaded.diagnostics;
    wrong.retain(|diagnostic| diagnostic.severity != Severity::Note);
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(loaded.config.model_list.len(), 2);
}

#[test]
fn what_the_newcomers_files_point_to_is_there() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        let text = std::fs::read_to_string(file(name)).expect(name);
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let target = target.split('#').next().unwrap_or_default();
            assert!(file(target).exists(), "{name} points to {target}");
        }
    }
}
