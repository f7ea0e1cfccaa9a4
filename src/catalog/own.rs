//! Models that the user describes: rows laid over the embedded ones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::{Map, Value};

use super::{ModelEntry, Prices, table};

/// What a user's file says of one model; what it leaves out stays as the catalogue has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnModel {
    /// As in the catalogue, any case.
    pub key: String,
    pub provider: Option<String>,
    pub mode: Option<String>,
    pub max_input_tokens: Option<u64>,
    pub max_output_tokens: Option<u64>,
    pub max_tokens: Option<u64>,
    pub prices: Prices,
    /// `supports_…` fields and other switches.
    pub flags: Vec<(String, bool)>,
    pub endpoints: Option<Vec<String>>,
    pub input_modalities: Option<Vec<String>>,
    pub output_modalities: Option<Vec<String>>,
    pub deprecation_date: Option<String>,
    /// Everything else, under LiteLLM's names.
    pub extra: Map<String, Value>,
}

/// Models ready to be laid over the catalogue.
#[derive(Clone, Debug, Default)]
pub struct OwnModels(Option<Arc<Prepared>>);

#[derive(Debug)]
struct Prepared {
    models: Vec<OwnModel>,
    rows: HashMap<String, ModelEntry>,
}

/// What is laid over the catalogue, for the whole process.
static LAID: ArcSwapOption<Prepared> = ArcSwapOption::const_empty();

thread_local! {
    /// What this thread looks names up in instead, for the time being.
    static TRIED: RefCell<Option<OwnModels>> = const { RefCell::new(None) };
}

impl OwnModels {
    /// Prepares rows. Their texts stay in memory for the life of the process, so what is equal to what is laid is that.
    pub fn new(models: Vec<OwnModel>) -> Self {
        if models.is_empty() {
            return Self::default();
        }
        let laid = LAID.load_full();
        if laid.as_ref().is_some_and(|laid| laid.models == models) {
            return Self(laid);
        }
        let rows = models
            .iter()
            .map(|model| (model.key.to_ascii_lowercase(), entry(model)))
            .collect();
        Self(Some(Arc::new(Prepared { models, rows })))
    }

    /// Lays them over the catalogue for all look-ups from now on, in place of those laid before. True when that changes
    /// anything.
    pub fn lay(&self) -> bool {
        let before = LAID.swap(self.0.clone());
        before.as_ref().map(Arc::as_ptr) != self.0.as_ref().map(Arc::as_ptr)
    }

    /// Whether both are the same rows.
    pub fn are(&self, other: &Self) -> bool {
        self.0.as_ref().map(|own| &own.models) == other.0.as_ref().map(|own| &own.models)
    }

    /// Look-ups of this thread find them while `read` runs: a configuration that is only looked over changes nothing for
    /// others.
    pub fn during<T>(&self, read: impl FnOnce() -> T) -> T {
        struct Restore(Option<OwnModels>);
        impl Drop for Restore {
            fn drop(&mut self) {
                TRIED.with_borrow_mut(|tried| *tried = self.0.take());
            }
        }
        let _restore = Restore(TRIED.with_borrow_mut(|tried| tried.replace(self.clone())));
        read()
    }

    fn find(&self, parts: &[&str]) -> Option<ModelEntry> {
        let rows = &self.0.as_ref()?.rows;
        rows.get(&parts.concat().to_ascii_lowercase()).cloned()
    }
}

/// The user's row whose key is the parts put together, in any case.
pub(super) fn find(parts: &[&str]) -> Option<ModelEntry> {
    let tried = TRIED.with_borrow(|tried| tried.as_ref().map(|tried| tried.find(parts)));
    tried.unwrap_or_else(|| {
        let laid = LAID.load();
        let rows = &laid.as_ref()?.rows;
        rows.get(&parts.concat().to_ascii_lowercase()).cloned()
    })
}

/// The row of a model: the user's figures, and the embedded row's where there are none.
fn entry(model: &OwnModel) -> ModelEntry {
    let listed = table::find(&[model.key.as_str()]).map(ModelEntry::parse);
    let provider = model
        .key
        .split_once('/')
        .map_or("", |(provider, _)| provider);
    let base = listed.unwrap_or_else(|| ModelEntry {
        key: keep(&model.key),
        provider: keep(provider),
        ..ModelEntry::parse("")
    });
    let text = |own: &Option<String>, listed| own.as_deref().map(keep).or(listed);
    let list = |own: &Option<Vec<String>>, listed| match own {
        Some(items) => keep(&items.join(",")),
        None => listed,
    };
    // The first statement about a flag counts.
    let own_flags = model.flags.iter().map(|(field, value)| {
        let not = if *value { "" } else { "!" };
        format!("{not}={field}")
    });
    let listed_flags = base.flags().filter_map(|(field, value)| {
        let not = if value { "" } else { "!" };
        let stated = model.flags.iter().any(|(own, _)| *own == field);
        (!stated).then(|| format!("{not}={field}"))
    });
    let flags = if model.flags.is_empty() {
        base.flags
    } else {
        let all: Vec<String> = own_flags.chain(listed_flags).collect();
        keep(&all.join(","))
    };
    let extra = if model.extra.is_empty() {
        base.extra
    } else {
        let listed = base
            .extra()
            .and_then(|json| serde_json::from_str(json).ok());
        let mut extra: Map<String, Value> = listed.unwrap_or_default();
        extra.extend(model.extra.clone());
        keep(&Value::Object(extra).to_string())
    };
    ModelEntry {
        key: base.key,
        provider: text(&model.provider, Some(base.provider)).unwrap_or_default(),
        mode: text(&model.mode, base.mode),
        max_input_tokens: model.max_input_tokens.or(base.max_input_tokens),
        max_output_tokens: model.max_output_tokens.or(base.max_output_tokens),
        max_tokens: model.max_tokens.or(base.max_tokens),
        prices: base.prices.overridden_by(&model.prices),
        deprecation_date: text(&model.deprecation_date, base.deprecation_date),
        flags,
        endpoints: list(&model.endpoints, base.endpoints),
        input_modalities: list(&model.input_modalities, base.input_modalities),
        output_modalities: list(&model.output_modalities, base.output_modalities),
        extra,
    }
}

/// Rows borrow the embedded text, which lives as long as the process; so must these.
fn keep(text: &str) -> &'static str {
    if text.is_empty() {
        return "";
    }
    Box::leak(text.into())
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn own(key: &str) -> OwnModel {
        let mut prices = Prices::default();
        assert_eq!(prices.set("input_cost_per_token", "9e-6"), Ok(true));
        OwnModel {
            key: key.to_owned(),
            prices,
            flags: vec![("supports_vision".to_owned(), false)],
            extra: Map::from_iter([("rpm".to_owned(), 5.into())]),
            ..OwnModel::default()
        }
    }

    #[test]
    fn an_own_row_is_laid_over_the_listed_one() {
        let listed = table::find(&["gpt-4o"])
            .map(ModelEntry::parse)
            .expect("listed");
        let row = entry(&own("gpt-4o"));
        assert_eq!(row.key, "gpt-4o");
        assert_eq!(row.provider, "openai");
        assert_eq!(row.max_input_tokens, listed.max_input_tokens);
        assert_eq!(
            row.prices
                .base(Kind::Input)
                .map(|price| price.to_string())
                .as_deref(),
            Some("0.000009")
        );
        assert_eq!(
            row.prices.base(Kind::Output),
            listed.prices.base(Kind::Output)
        );
        assert_eq!(listed.flag("supports_vision"), Some(true));
        assert_eq!(row.flag("supports_vision"), Some(false));
        assert_eq!(row.flag("supports_function_calling"), Some(true));
        assert_eq!(row.flags().count(), listed.flags().count());
        assert_eq!(
            row.extra().map(|json| json.contains("\"rpm\":5")),
            Some(true)
        );
    }

    #[test]
    fn a_new_row_stands_alone() {
        let row = entry(&own("my-provider/my-model"));
        assert_eq!(
            (row.key, row.provider),
            ("my-provider/my-model", "my-provider")
        );
        assert_eq!(row.mode, None);
        assert_eq!(row.prices.iter().count(), 1);
        assert_eq!(
            row.flags().collect::<Vec<_>>(),
            [("supports_vision".to_owned(), false)]
        );
    }
}
