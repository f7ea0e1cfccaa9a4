//! The embedded text and the search in it.

/// The catalogue. See the head of the room for the format.
const MODELS: &str = include_str!("models.tsv");

/// The lines, one a model.
pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    MODELS.lines()
}

/// The line whose key is the parts put together, in any case. Allocates nothing.
pub(super) fn find(parts: &[&str]) -> Option<&'static str> {
    let wanted = || {
        parts
            .iter()
            .flat_map(|part| part.bytes())
            .map(|byte| byte.to_ascii_lowercase())
    };
    let (mut low, mut high) = (0, MODELS.len());
    while low < high {
        let line = line_around(low + (high - low) / 2)?;
        let text = MODELS.get(line.clone())?;
        let key = text
            .bytes()
            .take_while(|byte| *byte != b'\t')
            .map(|byte| byte.to_ascii_lowercase());
        match key.cmp(wanted()) {
            std::cmp::Ordering::Equal => return Some(text),
            std::cmp::Ordering::Less => low = line.end + 1,
            std::cmp::Ordering::Greater => high = line.start,
        }
    }
    None
}

/// The line that the byte at `place` belongs to, without its line break.
fn line_around(place: usize) -> Option<std::ops::Range<usize>> {
    let bytes = MODELS.as_bytes();
    let start = memchr::memrchr(b'\n', bytes.get(..place)?).map_or(0, |at| at + 1);
    let end = memchr::memchr(b'\n', bytes.get(place..)?).map_or(bytes.len(), |at| place + at);
    Some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found_by_its_key_in_any_case() {
        let mut before = String::new();
        let mut count = 0;
        for line in lines() {
            let key = line.split('\t').next().unwrap_or_default();
            assert_eq!(find(&[key]), Some(line));
            let (head, tail) = key.split_at(key.len() / 2);
            assert_eq!(find(&[head, &tail.to_ascii_uppercase()]), Some(line));
            assert_eq!(find(&[key, "\u{1}"]), None);
            let folded = key.to_ascii_lowercase();
            assert!(before < folded, "`{key}` is out of order");
            before = folded;
            count += 1;
        }
        assert_eq!(count, 4240);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for key in ["", "!", "~~~~", "gpt-4o\t", "gpt", "\u{e9}"] {
            assert_eq!(find(&[key]), None);
        }
    }
}
