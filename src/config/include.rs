//! `include`: further files, and how they come together with the first.
//!
//! LiteLLM's rules: a list of paths, each relative to the file that names it; files that are included may include others,
//! level by level, each file once. Lists of the same name are joined; of everything else, maps too, the included file's
//! value takes the place of the one before.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use super::diagnostic::Sink;
use super::redact::found;
use super::source::{self, LoadError};
use super::yaml::{Entry, Node, Pos, Value};

const KEY: &str = "include";
/// More files than this are a loop in disguise.
const MAX_FILES: usize = 100;
/// All texts together: 64 MiB.
const MAX_BYTES: usize = 64 << 20;

/// A path that some file names.
struct Wanted {
    path: String,
    /// Where it stands.
    pos: Pos,
    place: String,
    /// Of the file that names it.
    folder: PathBuf,
}

/// Adds to `root`, which was read from `file`, all it includes. What cannot be had is an error at the place that names it.
/// What is from no file can include none. Answers all files, the first one too.
pub fn expand(root: &mut Node, file: Option<&Path>, sink: &Sink) -> Vec<PathBuf> {
    let Some(file) = file else {
        if let Some(entry) = root.get(KEY).filter(|entry| !entry.value.is_null()) {
            let message = "only a file can include others; this text is none";
            sink.error(entry.value.pos, KEY, message);
        }
        return Vec::new();
    };
    let mut files = vec![file.to_owned()];
    let root_folder = file.parent().unwrap_or(Path::new(""));
    let mut wanted: VecDeque<Wanted> = named_by(root, root_folder, sink).into();
    let mut seen: HashSet<PathBuf> = file.canonicalize().into_iter().collect();
    let mut bytes = 0;
    while let Some(next) = wanted.pop_front() {
        files.push(next.folder.join(&next.path));
        let Some(path) = locate(&next, root_folder, sink) else {
            continue;
        };
        if !seen.insert(path.clone()) {
            continue;
        }
        if seen.len() > MAX_FILES || bytes > MAX_BYTES {
            let message =
                format!("too much is included: at most {MAX_FILES} files of 64 MiB together");
            sink.error(next.pos, next.place, message);
            return files;
        }
        let name = path.display().to_string();
        let tree = source::read(&path).and_then(|text| {
            bytes += text.len();
            source::parse(&text, sink.add_file(&name), sink)
        });
        match tree {
            Ok(tree) => {
                let folder = path.parent().unwrap_or(root_folder);
                wanted.extend(named_by(&tree, folder, sink));
                join(root, tree, sink);
            }
            Err(LoadError::Invalid(wrong)) => {
                let at = format!("{}:{}:{}", wrong.file, wrong.line, wrong.column);
                sink.error(next.pos, next.place, format!("{at}: {}", wrong.message));
            }
            Err(error) => sink.error(next.pos, next.place, error.to_string()),
        }
    }
    files
}

/// Lays `added` over `root`: lists are joined, maps too, other values replaced.
pub fn lay_over(root: &mut Node, added: Node) {
    match (&mut root.value, added.value) {
        (Value::Map(entries), Value::Map(added)) => {
            for new in added {
                match entries.iter_mut().find(|entry| entry.key == new.key) {
                    Some(old) => lay_over(&mut old.value, new.value),
                    None => entries.push(new),
                }
            }
        }
        (Value::List(items), Value::List(added)) => items.extend(added),
        (_, value) => {
            *root = Node {
                value,
                pos: added.pos,
                variable: added.variable,
            };
        }
    }
}

/// The paths a tree includes.
fn named_by(tree: &Node, folder: &Path, sink: &Sink) -> Vec<Wanted> {
    let Some(node) = tree.get(KEY).map(|entry| &entry.value) else {
        return Vec::new();
    };
    let wanted = |node: &Node, place: String| match &node.value {
        Value::Text(path) if !path.is_empty() => Some(Wanted {
            path: path.clone(),
            pos: node.pos,
            place,
            folder: folder.to_owned(),
        }),
        _ => {
            let message = format!("expected the path of a file, found {}", found(node, KEY));
            sink.error(node.pos, place, message);
            None
        }
    };
    match &node.value {
        Value::Null => Vec::new(),
        Value::List(items) => {
            let items = items.iter().enumerate();
            items
                .filter_map(|(index, item)| wanted(item, format!("{KEY}[{index}]")))
                .collect()
        }
        // One path alone counts as a list of it.
        _ => wanted(node, KEY.to_owned()).into_iter().collect(),
    }
}

/// The file that is meant, as a path that tells it from others.
fn locate(wanted: &Wanted, root_folder: &Path, sink: &Sink) -> Option<PathBuf> {
    let beside = wanted.folder.join(&wanted.path);
    let beside_root = root_folder.join(&wanted.path);
    let (path, note) = if !beside.exists() && beside_root.exists() {
        (beside_root, true)
    } else {
        (beside, false)
    };
    if note {
        let message = "taken from the folder of the first file; paths are relative to the file that names them";
        sink.warning(wanted.pos, wanted.place.clone(), message);
    }
    // A device or pipe would be read for ever.
    if path.exists() && !path.is_file() {
        sink.error(
            wanted.pos,
            wanted.place.clone(),
            format!("{}: is no file", path.display()),
        );
        return None;
    }
    match path.canonicalize() {
        Ok(path) => Some(path),
        Err(error) => {
            let message = format!("{}: cannot be read: {error}", path.display());
            sink.error(wanted.pos, wanted.place.clone(), message);
            None
        }
    }
}

fn join(root: &mut Node, included: Node, sink: &Sink) {
    let (Value::Map(entries), Value::Map(included)) = (&mut root.value, included.value) else {
        return;
    };
    for Entry {
        key,
        key_pos,
        value,
    } in included
    {
        if key == KEY {
            continue;
        }
        let Some(old) = entries.iter_mut().find(|entry| entry.key == key) else {
            entries.push(Entry {
                key,
                key_pos,
                value,
            });
            continue;
        };
        match (&mut old.value.value, value.value) {
            (Value::List(items), Value::List(more)) => items.extend(more),
            (replaced, new) => {
                if !matches!(replaced, Value::Null) {
                    let place = old.key_pos;
                    let message = format!(
                        "takes the place of the one in {}:{}: sections of an included file are not mixed with it",
                        sink.file(place),
                        place.line
                    );
                    sink.note(key_pos, super::redact::key_in_path(&key), message);
                }
                old.key_pos = key_pos;
                old.value = Node {
                    value: new,
                    pos: value.pos,
                    variable: value.variable,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::config::{Config, Loaded};

    fn load(files: &[(&str, &str)]) -> (Loaded, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = folder.path().canonicalize().unwrap();
        let loaded = Config::load(&root.join("main.yaml"), None, &|_| None).unwrap();
        let shown = loaded.diagnostics.iter().map(|diagnostic| {
            diagnostic
                .to_string()
                .replace(&format!("{}/", root.display()), "")
        });
        let shown = shown.collect();
        (loaded, shown)
    }

    const MODEL: &str =
        "model_list: [{model_name: NAME, litellm_params: {model: openai/m, api_key: k}}]\n";

    #[test]
    fn lists_are_joined_and_maps_replaced_level_by_level() {
        let main = MODEL.replace("NAME", "a")
            + "general_settings: {max_parallel_requests: 1, user_api_key_cache_ttl: 5}\ninclude: [sub/b.yaml, c.yaml]\n";
        let b = MODEL.replace("NAME", "b")
            + "general_settings: {max_parallel_requests: 2}\ninclude: [d.yaml, ../main.yaml, ../c.yaml]\n";
        let (loaded, shown) = load(&[
            ("main.yaml", &main),
            ("sub/b.yaml", &b),
            ("c.yaml", &MODEL.replace("NAME", "c")),
            ("sub/d.yaml", &MODEL.replace("NAME", "d")),
        ]);
        let names: Vec<&str> = loaded
            .config
            .model_list
            .iter()
            .map(|m| m.model_name.as_str())
            .collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        let general = &loaded.config.general_settings;
        assert_eq!(general.max_parallel_requests, Some(2));
        assert_eq!(general.user_api_key_cache_ttl.as_secs(), 60);
        assert!(
            shown.iter().any(|line| line.starts_with(
                "sub/b.yaml:2:1: note: general_settings: takes the place of the one in main.yaml:2"
            )),
            "{shown:?}"
        );
    }

    #[test]
    fn problems_are_told_where_they_are() {
        let (_, shown) = load(&[
            (
                "main.yaml",
                "include: [gone.yaml, broken.yaml, list.yaml, '', 7, sub, sub/x.yaml]\nmodel_list: []\n",
            ),
            ("broken.yaml", "a: [\n"),
            ("list.yaml", "- a\n"),
            (
                "sub/x.yaml",
                "include: [y.yaml]\nlitellm_settings: {num_retries: many}\n",
            ),
            ("y.yaml", "generl_settings: {}\n"),
        ]);
        let expected = [
            "main.yaml:1:11: error: include[0]: gone.yaml: cannot be read: No such file or directory (os error 2)",
            "main.yaml:1:22: error: include[1]: broken.yaml:2:1: this is not valid YAML: ",
            "main.yaml:1:35: error: include[2]: list.yaml:1:1: expected sections",
            "main.yaml:1:46: error: include[3]: expected the path of a file, found \"\"",
            "main.yaml:1:50: error: include[4]: expected the path of a file, found 7",
            "main.yaml:1:53: error: include[5]: sub: is no file",
            "sub/x.yaml:1:11: warning: include[0]: taken from the folder of the first file",
            "sub/x.yaml:2:33: error: litellm_settings.num_retries: expected a whole number",
            "y.yaml:1:1: warning: generl_settings: unknown field, ignored; did you mean `general_settings`?",
        ];
        for line in expected {
            assert!(
                shown.iter().any(|shown| shown.starts_with(line)),
                "{line} in {shown:#?}"
            );
        }
        assert_eq!(shown.len(), expected.len(), "{shown:#?}");
    }

    #[test]
    fn a_text_includes_nothing() {
        let loaded = Config::from_text("t", "include: [/etc/passwd]", &|_| None).unwrap();
        assert!(loaded.has_errors());
    }

    #[test]
    fn the_command_line_is_laid_over() {
        let file = "model_list: [{model_name: a, litellm_params: {model: openai/m, api_key: k}}]\nlitellm_settings: {num_retries: 3, request_timeout: 9}";
        let added = MODEL.replace("NAME", "b") + "litellm_settings: {request_timeout: 5}";
        let config = Config::from_text_with(("f", file), Some(("l", &added)), &|_| None)
            .unwrap()
            .config;
        assert_eq!(config.model_list.len(), 2);
        assert_eq!(config.litellm_settings.num_retries, Some(3));
        assert_eq!(
            config.litellm_settings.request_timeout.unwrap().as_secs(),
            5
        );
    }
}
