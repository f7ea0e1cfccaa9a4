//! What came back.

use serde_json::Value;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As its framing promised.
    Whole,
    /// The connection ended before the body did.
    Cut,
    /// Not yet.
    Open,
}

/// An answer, or as much of it as has come.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Lower-case names, in order.
    pub headers: Vec<(String, String)>,
    /// Transfer framing removed.
    pub body: Vec<u8>,
    /// Sizes of the transfer chunks.
    pub chunks: Vec<usize>,
    pub ended: Ended,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(
            found.next().is_none(),
            "{name} stands twice in {:?}",
            self.headers
        );
        first
    }

    /// A header that must be there.
    #[track_caller]
    pub fn must(&self, name: &str) -> &str {
        match self.header(name) {
            Some(value) => value,
            None => panic!("no {name} in {} {:?}", self.status, self.headers),
        }
    }

    /// The body, which must be UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!(
                "{error}: {} {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            ),
        }
    }

    /// Asserts a status and hands the answer on.
    #[track_caller]
    pub fn with_status(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        assert_eq!(self.ended, Ended::Whole);
        self
    }

    /// The `error` object of OpenAI's shape, which must be exactly that: a client reads these four and no guesses. Its code is
    /// the status, but for the one that clients look for.
    #[track_caller]
    pub fn error(&self) -> Value {
        let body = self.json();
        let error = body["error"].clone();
        assert_error_shape(&error, &body);
        let code = if body
            .to_string()
            .contains("litellm.ContextWindowExceededError: ")
        {
            "context_length_exceeded".to_owned()
        } else {
            self.status.to_string()
        };
        assert_eq!(error["code"], code, "code is the status as text: {body}");
        assert!(self.must("content-type").starts_with("application/json"));
        error
    }

    /// `error.message`.
    #[track_caller]
    pub fn message(&self) -> String {
        self.error()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The payloads of a stream's frames, in order. Anything but `data: …` and a blank line is a failure, and the comment that
    /// keeps a silent stream alive.
    #[track_caller]
    pub fn frames(&self) -> Vec<String> {
        let text = self.text();
        let frames = text.split_inclusive("\n\n");
        let frames = frames.filter(|frame| *frame != ": ping\n\n").map(|frame| {
            let payload = frame
                .strip_prefix("data: ")
                .and_then(|rest| rest.strip_suffix("\n\n"));
            payload
                .unwrap_or_else(|| panic!("not a whole frame: {frame:?} in {text:?}"))
                .to_owned()
        });
        frames.collect()
    }

    /// The frames that are JSON.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let parse = |frame: &String| {
            serde_json::from_str(frame).unwrap_or_else(|error| panic!("{error}: {frame}"))
        };
        self.frames()
            .iter()
            .filter(|frame| *frame != "[DONE]")
            .map(parse)
            .collect()
    }

    /// The text of a stream.
    #[track_caller]
    pub fn said(&self) -> String {
        let events = self.events();
        events
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
            .collect()
    }

    #[track_caller]
    pub fn is_done(&self) -> bool {
        self.frames().last().is_some_and(|last| last == "[DONE]")
    }
}

/// An error object has `message`, `type`, `param` and `code`, and nothing that OpenAI's clients do not know.
#[track_caller]
pub fn assert_error_shape(error: &Value, whole: &Value) {
    let fields = error
        .as_object()
        .unwrap_or_else(|| panic!("no error object: {whole}"));
    for name in ["message", "type", "param", "code"] {
        assert!(fields.contains_key(name), "no {name}: {whole}");
    }
    assert!(
        fields["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{whole}"
    );
    assert!(fields["code"].is_string(), "{whole}");
    let known = [
        "message",
        "type",
        "param",
        "code",
        "provider_specific_fields",
        "litellm_call_id",
    ];
    assert!(
        fields.keys().all(|key| known.contains(&key.as_str())),
        "{whole}"
    );
}
