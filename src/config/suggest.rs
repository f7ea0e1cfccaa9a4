//! "Did you mean": the known name nearest to a mistyped one.

/// The nearest of `names`, if it is near enough that the word was probably meant to be it: one slip in a short name, two
/// in a longer one. A swap of neighbouring letters is one slip.
pub fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let length = word.chars().count();
    let allowed = match length {
        0..=3 => return None,
        4..=6 => 1,
        _ => 2,
    };
    names
        .filter(|name| name.len().abs_diff(length) <= allowed)
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_of_the_keyboard() {
        let names = ["model", "api_base", "api_key", "rpm", "routing_strategy"];
        for (word, expected) in [
            ("modle", Some("model")),
            ("api_bse", Some("api_base")),
            ("api_kye", Some("api_key")),
            ("routng_stratgy", Some("routing_strategy")),
            ("rpn", None),
            ("temperature", None),
            ("", None),
            ("ключ", None),
        ] {
            assert_eq!(nearest(word, names.into_iter()), expected, "{word}");
        }
    }
}
