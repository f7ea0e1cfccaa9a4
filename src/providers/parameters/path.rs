//! Places inside a request: `seed`, `tools[*].function.strict`, `metadata.a[0].b` (LiteLLM's `additional_drop_params`).

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    /// `[*]`
    Each,
    Index(usize),
}

/// A top-level field, or a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub field: String,
    pub steps: Vec<Step>,
}

/// Longer or deeper ones are a slip, or an attack.
const MOST_BYTES: usize = 256;
const MOST_STEPS: usize = 16;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a parameter or a place in it, such as `tools[*].strict`")]
pub struct PathError;

impl Path {
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > MOST_BYTES {
            return Err(PathError);
        }
        let mut field = None;
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
            if name.is_empty() {
                return Err(PathError);
            }
            match field {
                None => field = Some(name.to_owned()),
                Some(_) => steps.push(Step::Key(name.to_owned())),
            }
            while let Some(inner) = rest.strip_prefix('[') {
                let (index, after) = inner.split_once(']').ok_or(PathError)?;
                steps.push(match index {
                    "*" => Step::Each,
                    _ => Step::Index(index.parse().map_err(|_| PathError)?),
                });
                rest = after;
            }
            if !rest.is_empty() || steps.len() > MOST_STEPS {
                return Err(PathError);
            }
        }
        Ok(Self {
            field: field.ok_or(PathError)?,
            steps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let path = Path::parse("tools[*].function[2][0].strict").unwrap();
        assert_eq!(path.field, "tools");
        let key = |name: &str| Step::Key(name.into());
        let expected = [
            Step::Each,
            key("function"),
            Step::Index(2),
            Step::Index(0),
            key("strict"),
        ];
        assert_eq!(path.steps, expected);
        assert!(Path::parse("seed").unwrap().steps.is_empty());
        for wrong in [
            "",
            ".",
            "a.",
            "a[",
            "a[x]",
            "a]b[",
            "a[1]b",
            "[0]",
            &"a".repeat(300),
            &"a[0]".repeat(40),
        ] {
            assert_eq!(Path::parse(wrong), Err(PathError), "{wrong}");
        }
    }
}
