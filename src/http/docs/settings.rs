//! LiteLLM's variables about documentation.

/// What is shown where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocsSettings {
    /// The path of Swagger UI; `None`: it is not shown.
    pub page: Option<String>,
    /// Whether `/openapi.json` is served.
    pub document: bool,
    /// Where `/` leads to when Swagger UI is not there.
    pub redirect: Option<String>,
    /// What every path begins with: empty, or `/prefix`.
    pub root: String,
}

impl DocsSettings {
    /// Reads `NO_DOCS`, `NO_OPENAPI`, `DOCS_URL` and `ROOT_REDIRECT_URL`; `root` is what every path begins with.
    ///
    /// Without a document there is nothing for Swagger UI to show, so `NO_OPENAPI` takes both away.
    pub fn from_env(root: &str, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let said = |name: &str| {
            env(name)
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let is_set = |name: &str| {
            said(name).is_some_and(|text| {
                ["true", "1", "yes", "on"].contains(&text.to_ascii_lowercase().as_str())
            })
        };
        let document = !is_set("NO_OPENAPI");
        let page = said("DOCS_URL").map_or_else(
            || "/".to_owned(),
            |path| format!("/{}", path.trim_matches('/')),
        );
        Self {
            page: Some(page).filter(|_| document && !is_set("NO_DOCS")),
            document,
            redirect: said("ROOT_REDIRECT_URL"),
            root: root.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_move_and_remove_the_page() {
        let of = |variables: &[(&str, &str)]| {
            let env = |name: &str| {
                variables
                    .iter()
                    .find(|(own, _)| *own == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            let settings = DocsSettings::from_env("", &env);
            (settings.page, settings.document, settings.redirect)
        };
        let page = |path: &str| Some(path.to_owned());
        assert_eq!(of(&[]), (page("/"), true, None));
        assert_eq!(of(&[("NO_DOCS", "True")]), (None, true, None));
        assert_eq!(of(&[("NO_DOCS", "false")]), (page("/"), true, None));
        assert_eq!(of(&[("NO_OPENAPI", "True")]), (None, false, None));
        assert_eq!(of(&[("DOCS_URL", "docs/")]), (page("/docs"), true, None));
        assert_eq!(of(&[("DOCS_URL", "")]), (page("/"), true, None));
        let moved = [("DOCS_URL", "/docs"), ("ROOT_REDIRECT_URL", "/ui")];
        assert_eq!(of(&moved), (page("/docs"), true, page("/ui")));
    }
}
