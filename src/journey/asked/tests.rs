//! Where a wish is read from, which one wins, and what cannot be meant.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::types::{KeyHash, KeyOptions, ModelAccess, Role, Scope};

fn principal(options: KeyOptions) -> Principal {
    let hash = KeyHash::of("sk-test");
    Principal {
        key_hash: hash,
        key: Scope::unlimited(hash.to_string()),
        key_alias: None,
        key_name: None,
        role: Role::Unknown,
        is_master: false,
        blocked: false,
        expires_at: None,
        retires_at: None,
        allowed_routes: Vec::new(),
        aliases: Vec::new(),
        models: ModelAccess::default(),
        user: None,
        user_models: ModelAccess::default(),
        team: None,
        team_models: ModelAccess::default(),
        team_blocked: false,
        options,
    }
}

/// Reads a chat with these headers and these fields.
fn read_as(
    rules: &Rules,
    options: KeyOptions,
    headers: &[(&str, &str)],
    mut body: Value,
) -> Result<Asked, RequestError> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect();
    body["model"] = json!("m");
    body["messages"] = json!([]);
    let body = Bytes::from(body.to_string());
    let request = Request::read(
        crate::protocol::shape(crate::types::Operation::Chat),
        &body,
        None,
    )?;
    Asked::read(rules, &headers, &request, &principal(options))
}

fn read(headers: &[(&str, &str)], body: Value) -> Result<Asked, RequestError> {
    read_as(&Rules::default(), KeyOptions::default(), headers, body)
}

fn seconds(seconds: f64) -> Option<Duration> {
    Some(Duration::from_secs_f64(seconds))
}

fn labels(asked: &Asked) -> Labels {
    asked
        .labels
        .as_deref()
        .map(|json| serde_json::from_str(json).unwrap())
        .unwrap_or_default()
}

#[test]
fn headers_beat_the_body() {
    let asked = read(&[], json!({})).unwrap();
    assert_eq!((asked.timeout, asked.num_retries), (None, None));
    assert_eq!(asked.labels, None);
    let body =
        json!({"timeout": 1.5, "stream_timeout": "2", "num_retries": 3, "request_timeout": 9});
    let asked = read(&[], body.clone()).unwrap();
    assert_eq!(asked.timeout, seconds(1.5));
    assert_eq!(asked.stream_timeout, seconds(2.0));
    assert_eq!(asked.num_retries, Some(3));
    let headers = [
        ("x-litellm-timeout", "0.25"),
        ("x-litellm-stream-timeout", "4"),
        ("x-litellm-num-retries", "0"),
    ];
    let asked = read(&headers, body).unwrap();
    assert_eq!(asked.timeout, seconds(0.25));
    assert_eq!(asked.stream_timeout, seconds(4.0));
    assert_eq!(asked.num_retries, Some(0));
    assert_eq!(
        read(&[], json!({"request_timeout": 9})).unwrap().timeout,
        seconds(9.0)
    );
    let null = json!({"timeout": null, "num_retries": null, "tags": null, "metadata": null});
    assert_eq!(read(&[], null).unwrap().timeout, None);
}

#[test]
fn wishes_have_bounds() {
    let asked = read(&[], json!({"timeout": 1e300, "num_retries": 1_000_000})).unwrap();
    assert_eq!(asked.timeout, Some(LONGEST));
    assert_eq!(asked.num_retries, Some(MOST_RETRIES));
    let long = "x".repeat(5_000);
    let asked = read(&[], json!({"user": long})).unwrap();
    assert_eq!(asked.end_user.unwrap().len(), MOST_ID);
}

#[test]
fn what_cannot_be_meant_is_named() {
    for (headers, body, field) in [
        (&[][..], json!({"timeout": "soon"}), "timeout"),
        (&[], json!({"timeout": 0}), "timeout"),
        (&[], json!({"timeout": -1}), "timeout"),
        (&[], json!({"timeout": true}), "timeout"),
        (&[], json!({"stream_timeout": []}), "stream_timeout"),
        (&[], json!({"num_retries": -1}), "num_retries"),
        (&[], json!({"num_retries": 1.5}), "num_retries"),
        (&[], json!({"tags": "a"}), "tags"),
        (&[], json!({"tags": [1]}), "tags"),
        (
            &[],
            json!({"tags": vec!["a"; 3], "metadata": "text"}),
            "metadata",
        ),
        (&[], json!({"metadata": 5}), "metadata"),
        (&[], json!({"litellm_metadata": []}), "litellm_metadata"),
        (&[], json!({"tags": ["x".repeat(300)]}), "tags"),
        (&[], json!({"mock_timeout": true}), "mock_timeout"),
        (&[], json!({"mock_delay": 1}), "mock_delay"),
        (
            &[("x-litellm-timeout", "ten")],
            json!({}),
            "x-litellm-timeout",
        ),
        (
            &[("x-litellm-stream-timeout", "NaN")],
            json!({}),
            "x-litellm-stream-timeout",
        ),
        (
            &[("x-litellm-num-retries", "-1")],
            json!({}),
            "x-litellm-num-retries",
        ),
    ] {
        let error = read(headers, body.clone()).unwrap_err();
        assert_eq!(error.param(), Some(field), "{headers:?} {body}");
    }
    let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    assert!(read(&[], json!({"tags": many})).is_err());
}

#[test]
fn who_the_end_user_is() {
    let rules = Rules {
        user_headers: vec![
            HeaderName::from_static("x-first"),
            HeaderName::from_static("x-second"),
        ],
        ..Rules::default()
    };
    let body = json!({
        "user": "body",
        "litellm_metadata": {"user": "litellm"},
        "metadata": {"user_id": "meta", "user": "nobody"},
        "safety_identifier": "safe",
    });
    let mut headers = vec![
        ("x-litellm-customer-id", "customer"),
        ("x-litellm-end-user-id", "end-user"),
        ("x-second", "second"),
        ("x-first", "first"),
    ];
    for expected in ["customer", "end-user"] {
        let asked = read_as(&rules, KeyOptions::default(), &headers, body.clone()).unwrap();
        assert_eq!(asked.end_user.as_deref(), Some(expected));
        headers.remove(0);
    }
    let asked = read_as(&rules, KeyOptions::default(), &headers, body.clone()).unwrap();
    assert_eq!(asked.end_user.as_deref(), Some("first"));
    let mut body = body;
    for (field, expected) in [
        ("user", "body"),
        ("litellm_metadata", "litellm"),
        ("metadata", "meta"),
        ("safety_identifier", "safe"),
    ] {
        let asked = read(&[], body.clone()).unwrap();
        assert_eq!(asked.end_user.as_deref(), Some(expected), "{field}");
        body.as_object_mut().unwrap().remove(field);
    }
    assert_eq!(read(&[], body).unwrap().end_user, None);
    assert_eq!(
        read(&[], json!({"user": "\u{e9}\n"}))
            .unwrap()
            .end_user
            .as_deref(),
        Some("é\n")
    );
    let none = Rules {
        no_end_users: true,
        ..Rules::default()
    };
    let asked = read_as(&none, KeyOptions::default(), &[], json!({"user": "u"})).unwrap();
    assert_eq!(asked.end_user, None);
}

#[test]
fn tags_are_gathered() {
    let tags = |headers: &[(&str, &str)], body: Value| {
        let rules = Rules {
            tag_headers: vec![HeaderName::from_static("x-tagged")],
            ..Rules::default()
        };
        let options = KeyOptions {
            tags: vec!["key".into(), "a".into()],
            ..KeyOptions::default()
        };
        labels(&read_as(&rules, options, headers, body).unwrap()).tags
    };
    assert_eq!(tags(&[], json!({})), ["key", "a"]);
    let header = ("x-litellm-tags", " a, b ,,c");
    assert_eq!(tags(&[header], json!({})), ["a", "b", "c", "key"]);
    // The body's list takes the header's place; other sources join.
    let body = json!({"tags": ["z"], "metadata": {"tags": ["m", "z"]}});
    assert_eq!(
        tags(&[header, ("x-tagged", "named")], body),
        ["z", "m", "key", "a", "named"]
    );
    let text = json!({"metadata": "{\"tags\": [\"m\"]}"});
    assert_eq!(tags(&[], text), ["m", "key", "a"]);
    let rules = Rules {
        no_tags_by_metadata: true,
        ..Rules::default()
    };
    let body = json!({"metadata": {"tags": []}});
    assert!(read_as(&rules, KeyOptions::default(), &[], body).is_err());
}

#[test]
fn which_session() {
    let session = |headers: &[(&str, &str)], body: Value| {
        labels(&read(headers, body).unwrap())
            .session_id
            .map(|session| session.to_string())
    };
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut headers = vec![
        ("x-litellm-trace-id", "trace"),
        ("x-litellm-session-id", "session"),
        ("x-claude-code-session-id", "agent"),
        ("session-id", "codex"),
        ("thread-id", "thread"),
        ("x-session-id", "somebody-s_1"),
        ("traceparent", trace),
        ("baggage", "a=b, session.id=bag;p=1"),
    ];
    for expected in [
        "trace",
        "session",
        "agent",
        "codex",
        "thread",
        "somebody-s_1",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "bag",
    ] {
        let mut backwards = headers.clone();
        backwards.reverse();
        for headers in [&headers, &backwards] {
            assert_eq!(session(headers, json!({})).as_deref(), Some(expected));
        }
        headers.remove(0);
    }
    for loose in ["short", "not a word at all", ""] {
        assert_eq!(session(&[("x-session-id", loose)], json!({})), None);
    }
    for (body, expected) in [
        (
            json!({"metadata": {"user_id": "user_x_account_y_session_z"}, "litellm_trace_id": "t"}),
            "z",
        ),
        (
            json!({"litellm_session_id": "s", "litellm_trace_id": "t"}),
            "t",
        ),
        (
            json!({"litellm_session_id": "s", "metadata": {"session_id": "m"}}),
            "s",
        ),
        (json!({"metadata": {"session_id": "m"}}), "m"),
        (json!({"litellm_metadata": {"trace_id": "m"}}), "m"),
    ] {
        assert_eq!(
            session(&[], body.clone()).as_deref(),
            Some(expected),
            "{body}"
        );
    }
    let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    assert_eq!(session(&[("traceparent", zero)], json!({})), None);
}

#[test]
fn metadata_for_the_books() {
    let header = ("x-litellm-spend-logs-metadata", r#"{"job": 7}"#);
    let body = json!({"metadata": {"spend_logs_metadata": {"job": 8}}});
    let of = |headers: &[(&str, &str)], body: &Value| {
        labels(&read(headers, body.clone()).unwrap()).spend_logs_metadata
    };
    assert_eq!(of(&[header], &body), Some(json!({"job": 7})));
    assert_eq!(of(&[], &body), Some(json!({"job": 8})));
    let broken = ("x-litellm-spend-logs-metadata", "{");
    assert_eq!(of(&[broken], &json!({})), None);
    let large = json!({"metadata": {"spend_logs_metadata": {"x": "y".repeat(20_000)}}});
    assert!(read(&[], large).is_err());
    let larger = json!({"metadata": {"x": "y".repeat(70_000)}});
    assert!(read(&[], larger).is_err());
}

#[test]
fn what_would_steer_a_call_is_found_one_level_down() {
    for body in [
        json!({"metadata": {"api_base": "https://x"}}),
        json!({"litellm_metadata": {"langfuse_host": "https://x"}}),
        json!({"metadata": "{\"vertex_credentials\": {}}"}),
    ] {
        let error = read(&[], body.clone()).unwrap_err();
        assert!(matches!(error, RequestError::Refused(_)), "{body}: {error}");
    }
}

#[test]
fn mocks_are_for_those_who_may() {
    let body = json!({"mock_response": "Hi"});
    assert_eq!(read(&[], body.clone()).unwrap().mock, None);
    let may = KeyOptions {
        client_mocks: true,
        ..KeyOptions::default()
    };
    let asked = read_as(&Rules::default(), may.clone(), &[], body).unwrap();
    assert_eq!(asked.mock, Some(Mock::text("Hi")));
    let wrong = json!({"mock_response": 5});
    assert!(read_as(&Rules::default(), may, &[], wrong).is_err());
    let testing = Rules {
        mock_testing: true,
        ..Rules::default()
    };
    let asked = read_as(
        &testing,
        KeyOptions::default(),
        &[],
        json!({"mock_timeout": true}),
    );
    assert!(asked.unwrap().mock.unwrap().hangs);
}

#[test]
fn fallbacks_in_every_form() {
    use crate::policy::fallback::{Fallbacks, List};
    let wishes = |body: Value| read(&[], body).unwrap().failover;
    assert_eq!(wishes(json!({})), None);
    assert_eq!(
        wishes(json!({"fallbacks": null, "disable_fallbacks": false})),
        None
    );
    assert!(wishes(json!({"disable_fallbacks": true})).unwrap().disabled);
    let shown = |list: &Option<List>| match list {
        None => "-".to_owned(),
        Some(list) => {
            let groups: Vec<&str> = list.groups().collect();
            let targets: Vec<String> = list
                .all()
                .map(|target| {
                    let fields = target.overrides.iter();
                    let fields: String = fields.map(|(name, _)| format!("+{name}")).collect();
                    format!("{}{fields}", target.model)
                })
                .collect();
            format!("{groups:?} {}", targets.join(" "))
        }
    };
    for (list, expected) in [
        (json!([]), "[] "),
        (json!(["a", "b"]), "[] a b"),
        (
            json!(["a", {"model": "b", "temperature": 0, "messages": []}]),
            "[] a b+messages+temperature",
        ),
        (
            json!([{"a": ["b", {"model": "c"}]}, {"*": "d"}]),
            r#"["a", "*"] b c d"#,
        ),
    ] {
        for field in [
            "fallbacks",
            "context_window_fallbacks",
            "content_policy_fallbacks",
        ] {
            let wishes = wishes(json!({field: list.clone()})).unwrap();
            let Fallbacks {
                general,
                context_window,
                content_policy,
                larger_windows: _,
            } = &wishes.lists;
            let own = match field {
                "fallbacks" => general,
                "context_window_fallbacks" => context_window,
                _ => content_policy,
            };
            assert_eq!(shown(own), expected, "{field}: {list}");
        }
    }
}

#[test]
fn failures_are_rehearsed_where_that_is_allowed() {
    let open = Rules {
        mock_testing: true,
        ..Rules::default()
    };
    for (flag, is_final) in [
        ("mock_testing_fallbacks", true),
        ("mock_testing_context_fallbacks", true),
        ("mock_testing_content_policy_fallbacks", true),
        ("mock_testing_rate_limit_error", false),
    ] {
        let asked = read_as(&open, KeyOptions::default(), &[], json!({flag: true})).unwrap();
        let rehearsal = asked.failover.unwrap().rehearsal.unwrap();
        assert_eq!(rehearsal.is_final, is_final, "{flag}");
        let refused = read(&[], json!({flag: true})).unwrap_err();
        assert_eq!(refused.param(), Some(flag));
        assert!(read(&[], json!({flag: false})).unwrap().failover.is_none());
        assert!(read_as(&open, KeyOptions::default(), &[], json!({flag: 1})).is_err());
    }
}
