//! Who may take a call by what the configuration and the request say: windows, regions, abilities, tags, reserved times.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Client, Config, Deployment, Gateway, Reply, Request, Value, json};
use crate::simulator::{Behaviour, Simulator};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";
const DOORS: [&str; 3] = [CHAT, MESSAGES, RESPONSES];

/// The same question in each protocol, with more fields.
fn question(door: &str, model: &str, text: &str, more: &Value) -> Value {
    let mut body = match door {
        RESPONSES => json!({"model": model, "input": [{"role": "user", "content": text}]}),
        _ => json!({"model": model, "messages": [{"role": "user", "content": text}]}),
    };
    if door == MESSAGES {
        body["max_tokens"] = json!(100);
    }
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
    }
    body
}

fn ask(client: &Client, door: &str, text: &str, more: &Value) -> Reply {
    client.post(door, &question(door, "m", text, more))
}

/// The deployment that answers, or the status of the refusal.
fn taken_by(client: &Client, door: &str, text: &str, more: Value) -> String {
    let reply = ask(client, door, text, &more);
    match reply.status {
        200 => reply.must("x-litellm-model-id").to_owned(),
        status => status.to_string(),
    }
}

/// A group `m`: of its deployments that may take a call, the first one does.
fn group(simulator: &Simulator, deployments: Vec<Deployment>) -> Config {
    let mut share = 1e6;
    let weighted = deployments.into_iter().map(|deployment| {
        share /= 1e5;
        deployment.group("m").param("weight", share)
    });
    simulator.behave("m", Behaviour::saying("yes"));
    Config::of(weighted.collect::<Vec<_>>()).router("num_retries", 0)
}

fn member(simulator: &Simulator, id: &str) -> Deployment {
    Deployment::of(simulator, "m").id(id)
}

const LONG: usize = 300;

#[test]
fn small_windows_are_passed_over() {
    let simulator = Simulator::start();
    let windows = |large: bool| {
        let mut members = vec![member(&simulator, "small").info("max_input_tokens", 120)];
        if large {
            members.push(member(&simulator, "large").info("max_input_tokens", 100_000));
        }
        group(&simulator, members)
    };
    let (short, long) = ("hello", "hello ".repeat(LONG));
    // More bytes than the window has tokens, and fewer tokens.
    let counted = "international ".repeat(40);
    let checked = Gateway::of(&windows(true).router("enable_pre_call_checks", true));
    let unchecked = Gateway::of(&windows(true));
    for door in DOORS {
        for (gateway, text, expected) in [
            (&checked, short, "small"),
            (&checked, &counted, "small"),
            (&checked, &long, "large"),
            (&unchecked, &long, "small"),
        ] {
            let taken = taken_by(&gateway.master(), door, text, json!({}));
            assert_eq!(taken, expected, "{door}, {} bytes", text.len());
        }
    }
    drop((checked, unchecked));

    let gateway = Gateway::of(&windows(false).router("enable_pre_call_checks", true));
    simulator.take();
    for door in DOORS {
        let reply = ask(&gateway.master(), door, &long, &json!({})).with_status(400);
        let said = match door {
            // In the words that Anthropic's clients look for.
            MESSAGES => "prompt is too long: 309 tokens > 120 maximum",
            _ => {
                "litellm._pre_call_checks: Context Window exceeded for given call. No models have context window large \
                 enough for this call.\\nModel=openai/m, Max Input Tokens=120, Got=30"
            }
        };
        assert!(reply.text().contains(said), "{door}: {}", reply.text());
    }
    let error = ask(&gateway.master(), CHAT, &long, &json!({})).error();
    assert_eq!(error["code"], "context_length_exceeded");
    assert_eq!(simulator.take().len(), 0, "nobody was asked in vain");
    assert_eq!(gateway.rows().len(), 0);
}

#[test]
fn a_prompt_that_is_too_long_goes_to_the_fallback_for_that() {
    let simulator = Simulator::start();
    let members = vec![member(&simulator, "small").info("max_input_tokens", 120)];
    let config = group(&simulator, members)
        .router("enable_pre_call_checks", true)
        .router("fallbacks", json!([{"m": ["failing"]}]))
        .router(
            "context_window_fallbacks",
            json!([{"m": ["middle", "large"]}]),
        );
    simulator.behave("large", Behaviour::saying("yes"));
    let more = [
        Deployment::of(&simulator, "middle").info("max_input_tokens", 200),
        Deployment::of(&simulator, "large"),
        Deployment::of(&simulator, "failing"),
    ];
    let gateway = Gateway::of(&config.and(more));
    let long = "hello ".repeat(LONG);
    for door in DOORS {
        let reply = ask(&gateway.master(), door, &long, &json!({})).with_status(200);
        assert_eq!(reply.must("x-litellm-model-group"), "large", "{door}");
        // A stream too, and a fallback of the request's own with a shorter prompt.
        let streamed = json!({"stream": true});
        let reply = ask(&gateway.master(), door, &long, &streamed).with_status(200);
        assert_eq!(reply.must("x-litellm-model-group"), "large", "{door}");
    }
    let shorter = json!({"context_window_fallbacks": [
        {"model": "m", "messages": [{"role": "user", "content": "hello"}]},
    ]});
    let reply = ask(&gateway.master(), CHAT, &long, &shorter).with_status(200);
    assert_eq!(reply.must("x-litellm-model-id"), "small");
    let none = json!({"disable_fallbacks": true});
    ask(&gateway.master(), CHAT, &long, &none).with_status(400);
    let rows = gateway.rows_when(7);
    assert!(rows.iter().all(|row| row.http_status == 200), "{rows:#?}");
}

/// A fallback is passed over like the group before it, and its own fallbacks are next.
#[test]
fn a_fallback_that_cannot_take_it_is_passed_over() {
    let simulator = Simulator::start();
    for name in ["failing", "small", "large"] {
        let answer = Behaviour::saying(name);
        simulator.behave(name, answer);
    }
    simulator.behave("failing", Behaviour::failing(500));
    let gateway = Gateway::of(
        &Config::of([
            Deployment::of(&simulator, "failing"),
            Deployment::of(&simulator, "small").info("max_input_tokens", 120),
            Deployment::of(&simulator, "large"),
        ])
        .router("num_retries", 0)
        .router("enable_pre_call_checks", true)
        .router("fallbacks", json!([{"failing": ["small"]}]))
        .router("context_window_fallbacks", json!([{"small": ["large"]}])),
    );
    let long = "hello ".repeat(LONG);
    for door in DOORS {
        let body = question(door, "failing", &long, &json!({}));
        let reply = gateway.master().post(door, &body).with_status(200);
        assert_eq!(reply.must("x-litellm-model-group"), "large", "{door}");
    }
    assert_eq!(simulator.received("small"), 0);
    let nowhere = json!({"context_window_fallbacks": []});
    let body = question(CHAT, "failing", &long, &nowhere);
    let reply = gateway.master().chat(&body).with_status(500);
    let why = "Fallback to small also failed: litellm.ContextWindowExceededError";
    assert!(reply.text().contains(why), "{}", reply.text());
}

/// A failed call is tried again where the request may go, and nowhere else.
#[test]
fn retries_stay_within_the_tags() {
    let simulator = Simulator::start();
    simulator.behave("bad", Behaviour::failing(500));
    let member = |model: &str, id: &str, tag: &str, share: f64| {
        let deployment = Deployment::of(&simulator, model).group("m").id(id);
        deployment
            .param("tags", json!([tag]))
            .param("weight", share)
    };
    let config = Config::of([
        member("bad", "first", "paid", 1e6),
        member("good", "second", "paid", 1e-6),
        member("other", "other", "default", 1e3),
    ]);
    let gateway = Gateway::of(
        &config
            .router("enable_tag_filtering", true)
            .router("num_retries", 2)
            .never_cooling(),
    );
    for _ in 0..5 {
        let taken = taken_by(&gateway.master(), CHAT, "hello", json!({"tags": ["paid"]}));
        assert_eq!(taken, "second");
    }
    simulator.behave("good", Behaviour::failing(500));
    let taken = taken_by(&gateway.master(), CHAT, "hello", json!({"tags": ["paid"]}));
    assert_eq!((taken.as_str(), simulator.received("other")), ("500", 0));
}

/// Who names a deployment does not choose by tags; a region and reserved times hold.
#[test]
fn a_deployment_that_is_named() {
    let simulator = Simulator::start();
    let members = vec![
        tagged(&simulator, "free", &["free"]).param("region_name", "us"),
        tagged(&simulator, "paid", &["paid"]).param("region_name", "eu"),
    ];
    let gateway = Gateway::of(&group(&simulator, members).router("enable_tag_filtering", true));
    let taken = |fields: Value| {
        let reply = gateway
            .master()
            .chat(&question(CHAT, "paid", "hello", &fields));
        match reply.status {
            200 => reply.must("x-litellm-model-id").to_owned(),
            status => status.to_string(),
        }
    };
    assert_eq!(taken(json!({"tags": ["free"]})), "paid");
    assert_eq!(taken(json!({"allowed_model_region": "eu"})), "paid");
    assert_eq!(taken(json!({"allowed_model_region": "us"})), "400");
}

#[test]
fn a_region_holds() {
    let simulator = Simulator::start();
    let members = vec![
        member(&simulator, "anywhere"),
        member(&simulator, "eu").param("region_name", "eu"),
        member(&simulator, "us").param("region_name", "us"),
    ];
    let gateway = Gateway::of(&group(&simulator, members));
    let master = gateway.master();
    let held = gateway.caller(json!({"metadata": {"allowed_model_region": "us"}}));
    for door in DOORS {
        let in_region = |client: &Client, region: Value| {
            taken_by(
                client,
                door,
                "hello",
                json!({"allowed_model_region": region}),
            )
        };
        for (client, region, expected) in [
            (&master, json!(null), "anywhere"),
            (&master, json!("eu"), "eu"),
            (&master, json!("us"), "us"),
            (&master, json!("mars"), "400"),
            (&master, json!(5), "400"),
            // What a key is held to is not the request's to change.
            (&held, json!("eu"), "us"),
            (&held, json!(null), "us"),
        ] {
            assert_eq!(
                in_region(client, region.clone()),
                expected,
                "{door} {region}"
            );
        }
    }
    let reply = ask(&held, CHAT, "hello", &json!({})).with_status(200);
    assert_eq!(reply.must("x-litellm-model-region"), "us");
    let mars = json!({"allowed_model_region": "mars"});
    let message = ask(&master, CHAT, "hello", &mars).message();
    assert!(message.contains("is in the region 'mars'"), "{message}");
    let sent = simulator.take();
    let sent: Vec<String> = sent
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    assert!(
        sent.iter()
            .all(|body| !body.contains("allowed_model_region"))
    );
}

#[test]
fn what_models_cannot_do() {
    let simulator = Simulator::start();
    let members = |drops: bool| {
        let config = group(
            &simulator,
            vec![
                member(&simulator, "plain")
                    .info("supports_web_search", false)
                    .info("supports_response_schema", false)
                    .param("drop_params", drops),
                member(&simulator, "able"),
            ],
        );
        Gateway::of(&config.router("enable_pre_call_checks", true))
    };
    let (strict, dropping) = (members(false), members(true));
    let function = json!({"tools": [{"type": "function", "function": {"name": "web_search"}}]});
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "name": "x", "schema": schema, "strict": true});
    let of_chat = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}});
    let of_response = json!({"text": {"format": format}});
    let as_text = json!({"response_format": {"type": "text"}});
    let drop_it = json!({"response_format": {"type": "json_object"}, "drop_params": true});
    for (gateway, door, more, expected) in [
        (&strict, CHAT, json!({}), "plain"),
        (&strict, CHAT, function, "plain"),
        (&strict, CHAT, of_chat.clone(), "able"),
        (&strict, CHAT, as_text, "plain"),
        (&strict, CHAT, drop_it, "plain"),
        (&strict, RESPONSES, of_response, "able"),
        (&dropping, CHAT, of_chat, "plain"),
    ] {
        let taken = taken_by(&gateway.master(), door, "hello", more.clone());
        assert_eq!(taken, expected, "{door} {more}");
    }
    // Web search is looked at whatever the settings say.
    let search = json!({"tools": [{"type": "web_search_preview"}]});
    let members = vec![
        member(&simulator, "plain").info("supports_web_search", false),
        member(&simulator, "able"),
    ];
    let gateway = Gateway::of(&group(&simulator, members));
    assert_eq!(
        taken_by(&gateway.master(), RESPONSES, "hello", search.clone()),
        "able"
    );
    let members = vec![member(&simulator, "plain").info("supports_web_search", false)];
    let gateway = Gateway::of(&group(&simulator, members));
    let message = ask(&gateway.master(), RESPONSES, "hello", &search)
        .with_status(400)
        .message();
    assert!(message.contains("web search"), "{message}");
}

fn tagged(simulator: &Simulator, id: &str, tags: &[&str]) -> Deployment {
    member(simulator, id).param("tags", tags.to_vec())
}

/// `free`, `paid` and those that get whoever fits nobody.
fn tiers(simulator: &Simulator) -> Config {
    let members = vec![
        tagged(simulator, "free", &["free"]),
        tagged(simulator, "paid", &["paid", "eu"]),
        tagged(simulator, "default", &["default"]),
    ];
    group(simulator, members)
}

#[test]
fn tags_choose() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&tiers(&simulator).router("enable_tag_filtering", true));
    let master = gateway.master();
    for door in DOORS {
        for (tags, expected) in [
            (json!(["free"]), "free"),
            (json!(["paid"]), "paid"),
            (json!(["&eu"]), "paid"),
            (json!(["free", "!free"]), "401"),
            (json!(["batch-7"]), "default"),
            (json!(["!default"]), "401"),
            (json!([]), "default"),
        ] {
            let fields = json!({ "tags": tags });
            assert_eq!(
                taken_by(&master, door, "hello", fields),
                expected,
                "{door} {tags}"
            );
        }
    }
    // Wherever they come from.
    let of_key = gateway.caller(json!({"metadata": {"tags": ["paid"]}}));
    assert_eq!(taken_by(&of_key, CHAT, "hello", json!({})), "paid");
    let by_metadata = json!({"metadata": {"tags": ["paid"]}});
    assert_eq!(taken_by(&master, CHAT, "hello", by_metadata), "paid");
    let body = question(CHAT, "m", "hello", &json!({})).to_string();
    let request = Request::post(CHAT, body).header("x-litellm-tags", "other, paid");
    assert_eq!(master.ask(request).must("x-litellm-model-id"), "paid");
    let refused = ask(&master, CHAT, "hello", &json!({"tags": ["free", "&eu"]})).with_status(401);
    let expected = "Not allowed to access model due to tags configuration. Passed model=m and tags=['free', '&eu']";
    assert_eq!(refused.message(), expected);
}

#[test]
fn tags_of_whoever_answered_are_booked() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&tiers(&simulator).router("enable_tag_filtering", true));
    for tags in [json!(["job", "paid"]), json!([])] {
        taken_by(&gateway.master(), CHAT, "hello", json!({ "tags": tags }));
    }
    let rows = gateway.rows_when(2);
    let mut tags: Vec<Vec<String>> = rows.iter().map(|row| row.read_labels().tags).collect();
    tags.sort();
    assert_eq!(tags, [vec!["default"], vec!["job", "paid", "eu"]]);
}

#[test]
fn how_tags_are_read() {
    let simulator = Simulator::start();
    let config = tiers(&simulator).router("enable_tag_filtering", true);
    let all = Gateway::of(&config.clone().router("tag_filtering_match_any", false));
    let prefixed = Gateway::of(&config.router("tag_routing_prefix", "route:"));
    for (gateway, tags, expected) in [
        (&all, json!(["paid", "eu"]), "paid"),
        (&all, json!(["paid", "free"]), "401"),
        (&prefixed, json!(["route:paid"]), "paid"),
        (&prefixed, json!(["route:&eu"]), "paid"),
        (&prefixed, json!(["batch-7"]), "default"),
        (&prefixed, json!(["route:batch-7"]), "401"),
    ] {
        let taken = taken_by(&gateway.master(), CHAT, "hello", json!({ "tags": tags }));
        assert_eq!(taken, expected, "{tags}");
    }
}

#[test]
fn a_program_may_count_like_a_tag() {
    let simulator = Simulator::start();
    let members = vec![
        tagged(&simulator, "default", &["default"]),
        member(&simulator, "agents")
            .param("tag_regex", json!(["^User-Agent: claude-cli/", "(?=x)"])),
    ];
    let gateway = Gateway::of(&group(&simulator, members).router("enable_tag_filtering", true));
    for door in DOORS {
        for (agent, expected) in [("claude-cli/2.0.1", "agents"), ("curl/8", "default")] {
            let body = question(door, "m", "hello", &json!({})).to_string();
            let request = Request::post(door, body).header("user-agent", agent);
            let reply = gateway.master().ask(request).with_status(200);
            assert_eq!(reply.must("x-litellm-model-id"), expected, "{door} {agent}");
        }
    }
    assert!(
        gateway.log().contains("tag_regex"),
        "the pattern that is none is told"
    );
}

#[test]
fn who_says_that_tags_choose() {
    let simulator = Simulator::start();
    let of_group = |filters: bool, opens: bool| {
        let members = vec![
            tagged(&simulator, "free", &["free"]).info("allow_fail_open", opens),
            tagged(&simulator, "paid", &["paid"]).info("enable_tag_filtering", filters),
        ];
        group(&simulator, members)
    };
    let on = Gateway::of(&of_group(true, false));
    let off = Gateway::of(&of_group(false, false).router("enable_tag_filtering", true));
    let open = Gateway::of(&of_group(true, true));
    for (gateway, more, expected) in [
        (&on, json!({"tags": ["paid"]}), "paid"),
        (
            &on,
            json!({"tags": ["paid"], "enable_tag_filtering": false}),
            "paid",
        ),
        (&on, json!({"tags": ["other"]}), "401"),
        (&off, json!({"tags": ["paid"]}), "free"),
        (
            &off,
            json!({"tags": ["paid"], "enable_tag_filtering": true}),
            "paid",
        ),
        (&off, json!({"enable_tag_filtering": "yes"}), "400"),
        (&open, json!({"tags": ["other"]}), "free"),
        (&open, json!({"tags": ["free", "!free"]}), "free"),
    ] {
        let taken = taken_by(&gateway.master(), CHAT, "hello", more.clone());
        assert_eq!(taken, expected, "{more}");
    }
    // What a key requires holds, whatever a group opens.
    let held = open.caller(json!({"metadata": {"tags": ["&paid"]}}));
    for (more, expected) in [(json!({}), "paid"), (json!({"tags": ["!paid"]}), "paid")] {
        assert_eq!(
            taken_by(&held, CHAT, "hello", more.clone()),
            expected,
            "{more}"
        );
    }
}

#[test]
fn times_of_others() {
    let simulator = Simulator::start();
    let minutes = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        / 60;
    let time = |away: i64| {
        let minute = (minutes as i64 + away).rem_euclid(24 * 60);
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    let window = |from: i64, to: i64| json!([{"start": time(from), "end": time(to), "timezone": "UTC", "team_ids": ["night"]}]);
    let now = member(&simulator, "now").info("access_windows", window(-60, 60));
    let later = member(&simulator, "later").info("access_windows", window(60, 120));
    let alone = Deployment::of(&simulator, "alone").info("access_windows", window(-60, 60));
    let gateway = Gateway::of(&group(&simulator, vec![now, later]).and([alone]));
    gateway.team("night", |_| {});
    gateway.team("day", |_| {});
    let caller = |team: &str| gateway.caller(json!({"team_id": team}));
    let (night, day) = (caller("night"), caller("day"));
    for door in DOORS {
        for (client, expected) in [
            (&night, "now"),
            (&day, "later"),
            (&gateway.master(), "later"),
        ] {
            assert_eq!(
                taken_by(client, door, "hello", json!({})),
                expected,
                "{door}"
            );
        }
    }
    let body = question(CHAT, "alone", "hello", &json!({}));
    night.chat(&body).with_status(200);
    let error = day.chat(&body).with_status(400).error();
    let expected = format!(
        "litellm.BadRequestError: Deployment alone is reserved for another team until {} UTC",
        time(60)
    );
    assert_eq!(
        (&error["message"], &error["type"]),
        (&json!(expected), &json!("invalid_request_error"))
    );
}
