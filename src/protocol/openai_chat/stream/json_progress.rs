//! Whether a JSON text that arrives in pieces is whole yet.

/// How far an object has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonProgress {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl JsonProgress {
    pub fn add(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    self.depth = self.depth.saturating_add(1);
                    self.begun = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The object has been closed: nothing can follow but white space.
    pub fn is_whole(self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_whole_with_its_last_brace() {
        let text = r#" {"a":[1,{"b":"}\"{"}],"c":"\\"} "#;
        let end = text.rfind('}').unwrap();
        let mut progress = JsonProgress::default();
        for (at, letter) in text.char_indices() {
            progress.add(letter.encode_utf8(&mut [0; 4]));
            assert_eq!(progress.is_whole(), at >= end, "{at}");
        }
        assert!(!JsonProgress::default().is_whole());
    }
}
