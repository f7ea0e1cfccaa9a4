//! Responses that the provider keeps.

use std::time::Duration;

use super::{assert_unknown, id, request, respond, response};
use crate::harness::{Config, Deployment, Gateway, Request, Value, json, until};
use crate::simulator::{Behaviour, Simulator};

const THINKING: &str =
    r#"{"blocks": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Kiel"}]}"#;

/// Two accounts in one group.
fn config(simulator: &Simulator) -> Config {
    let of = |n: &str| {
        Deployment::of(simulator, "m")
            .id(&format!("d-{n}"))
            .param("api_key", format!("sk-provider-{n}"))
    };
    Config::of([of("1"), of("2")])
        .router("num_retries", 0)
        .never_cooling()
}

fn gateway(simulator: &Simulator) -> Gateway {
    simulator.behave(
        "m",
        Behaviour::of(serde_json::from_str::<Value>(THINKING).unwrap()),
    );
    Gateway::of(&config(simulator))
}

/// The deployment that answers have come from.
fn made_by(reply: &crate::harness::Reply) -> String {
    reply.must("x-litellm-model-id").to_owned()
}

#[test]
fn a_conversation_goes_on_where_it_is_kept() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    for stream in [false, true] {
        for _ in 0..6 {
            let first = respond(&caller, &request("m", json!({}))).with_status(200);
            let home = made_by(&first);
            let mut last = id(&first.json()).to_owned();
            for _ in 0..3 {
                simulator.take();
                let next = json!({"previous_response_id": last, "input": "and?", "stream": stream});
                let reply = respond(&caller, &request("m", next.clone())).with_status(200);
                assert_eq!(made_by(&reply), home);
                let sent = simulator.take().remove(0).json();
                let upstream = sent["previous_response_id"].as_str().unwrap();
                assert!(upstream.starts_with("resp_") && upstream != last, "{sent}");
                let next = response(&caller, &request("m", next));
                assert_eq!(next["previous_response_id"], last);
                last = id(&next).to_owned();
            }
        }
    }
}

#[test]
fn a_server_without_responses_is_asked_for_chats() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&Config::of([
        Deployment::of(&simulator, "m").param("use_chat_completions_api", true),
        Deployment::of(&simulator, "native").param("model", "openai/m"),
    ]));
    let caller = gateway.caller(json!({}));
    for (model, path) in [("m", "/v1/chat/completions"), ("native", "/v1/responses")] {
        for stream in [false, true] {
            let answer = response(&caller, &request(model, json!({"stream": stream})));
            assert_eq!(answer["status"], "completed", "{answer}");
            assert_eq!(simulator.take().remove(0).path, path);
        }
    }
}

#[test]
fn errands_go_to_the_provider() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let first = respond(&caller, &request("m", json!({}))).with_status(200);
    let home = made_by(&first);
    let first = first.json();
    let second = json!({"previous_response_id": id(&first), "input": "and?"});
    let second = response(&caller, &request("m", second));
    simulator.take();
    let path = format!("/v1/responses/{}", id(&second));
    let shown = caller.get(&path).with_status(200).json();
    assert_eq!(
        (&shown["id"], &shown["output"]),
        (&second["id"], &second["output"])
    );
    let asked = simulator.take().remove(0);
    let upstream = asked
        .path
        .strip_prefix("/v1/responses/")
        .unwrap()
        .to_owned();
    assert!(asked.method == "GET" && asked.body.is_empty(), "{asked:?}");
    let key = format!("Bearer sk-provider-{}", &home[2..]);
    assert_eq!(asked.header("authorization"), Some(key.as_str()));
    // The one before has an id of ours as well, which means the same.
    let previous = shown["previous_response_id"].as_str().unwrap();
    let same = caller
        .get(&format!("/v1/responses/{previous}"))
        .with_status(200)
        .json();
    assert_eq!(same["output"], first["output"]);
    let items = caller.get(&format!(
        "{path}/input_items?limit=5&order=asc&api-version=1"
    ));
    assert_eq!(items.with_status(200).json()["object"], "list");
    let asked = simulator.take().pop().unwrap();
    assert_eq!(
        asked.path,
        format!("/v1/responses/{upstream}/input_items?limit=5&order=asc")
    );
    let synchronous = caller.ask(Request::new("POST", &format!("{path}/cancel")));
    assert!(
        synchronous
            .with_status(400)
            .message()
            .contains("synchronous")
    );
    let stranger = gateway.caller(json!({}));
    stranger.get(&path).with_status(404);
    assert_unknown(&respond(
        &stranger,
        &request("m", json!({"previous_response_id": id(&second)})),
    ));
    let delete = || caller.ask(Request::new("DELETE", &path));
    assert_eq!(
        delete().with_status(200).json(),
        json!({"id": id(&second), "object": "response", "deleted": true})
    );
    // The provider's own refusal, in the client's names.
    let gone = delete().with_status(404);
    assert!(gone.message().contains(id(&second)), "{}", gone.text());
    assert!(!gone.text().contains(&upstream), "{}", gone.text());
    assert_eq!(gateway.rows_when(2).len(), 2, "errands cost nothing");
}

#[test]
fn a_response_whose_deployment_is_gone_says_so() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let first = response(&caller, &request("m", json!({})));
    let other = Deployment::of(&simulator, "other").param("api_key", "sk-provider-3");
    gateway.reload(&Config::of([
        Deployment::of(&simulator, "m").id("d-9"),
        other,
    ]));
    let next = respond(
        &caller,
        &request("m", json!({"previous_response_id": id(&first)})),
    );
    assert_unknown(&next);
    assert!(next.text().contains("not configured"), "{}", next.text());
    let shown = caller
        .get(&format!("/v1/responses/{}", id(&first)))
        .with_status(404);
    assert!(
        shown.message().contains("not configured"),
        "{}",
        shown.message()
    );
}

/// Another model of the same account finds the response too, as at OpenAI; one of another account cannot.
#[test]
fn the_model_may_change_within_an_account() {
    let simulator = Simulator::start();
    let at = |name: &str, key: &str| Deployment::of(&simulator, name).param("api_key", key);
    let deployments = [
        at("a", "sk-provider-1"),
        at("b", "sk-provider-1"),
        at("c", "sk-provider-2"),
    ];
    let gateway = Gateway::of(&Config::of(deployments).router("num_retries", 0));
    let caller = gateway.caller(json!({}));
    let first = response(&caller, &request("a", json!({})));
    let next = |model: &str| request(model, json!({"previous_response_id": id(&first)}));
    response(&caller, &next("b"));
    let elsewhere = respond(&caller, &next("c"));
    assert_unknown(&elsewhere);
    assert!(elsewhere.text().contains("'a'"), "{}", elsewhere.text());
}

/// Thoughts go back to the account that can read them, unchanged; who cannot read them does not get them.
#[test]
fn encrypted_content_goes_home() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let include = json!({"store": false, "include": ["reasoning.encrypted_content"]});
    let mut homes = std::collections::BTreeSet::new();
    for turn in 0..12 {
        let mut body = request("m", include.clone());
        body["stream"] = json!(turn % 2 == 0);
        let first = respond(&caller, &body).with_status(200);
        let home = made_by(&first);
        let answer = match turn % 2 {
            0 => super::events(&first).pop().unwrap()["response"].clone(),
            _ => first.json(),
        };
        let marked = answer["output"][0]["encrypted_content"].as_str().unwrap();
        assert!(marked.starts_with("litellm_enc:"), "{marked}");
        let mut input = answer["output"].as_array().unwrap().clone();
        input.push(json!({"role": "user", "content": "and?"}));
        simulator.take();
        body["input"] = json!(input);
        let second = respond(&caller, &body).with_status(200);
        assert_eq!(made_by(&second), home, "turn {turn}");
        let sent = simulator.take().remove(0).json();
        let content = sent["input"][0]["encrypted_content"].as_str().unwrap();
        assert!(
            marked.ends_with(content) && content.starts_with("gAAAA"),
            "{content}"
        );
        homes.insert(home.clone());
        if turn == 11 {
            // Its home is gone: the thoughts are left out, the rest goes on elsewhere.
            assert_eq!(homes.len(), 2, "both were called");
            let stays = if home == "d-1" { "2" } else { "1" };
            let deployment = Deployment::of(&simulator, "m")
                .id(&format!("d-{stays}"))
                .param("api_key", format!("sk-provider-{stays}"));
            gateway.reload(&Config::of([deployment]).router("num_retries", 0));
            let third = respond(&caller, &body).with_status(200);
            assert_ne!(made_by(&third), home);
            let sent = simulator.take().remove(0).json();
            let kinds: Vec<&Value> = sent["input"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| &item["type"])
                .collect();
            assert_eq!(kinds, [&json!("message"), &Value::Null], "{sent}");
            assert_eq!(sent["input"][0].get("id"), None, "{sent}");
        }
    }
}

/// A deployment that fails a request which only it can answer is not replaced by another.
#[test]
fn nobody_else_is_asked_to_go_on() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::saying("Kiel"));
    let gateway = Gateway::of(&config(&simulator).router("num_retries", 2));
    let caller = gateway.caller(json!({}));
    let first = respond(&caller, &request("m", json!({}))).with_status(200);
    let home = made_by(&first);
    simulator.take();
    simulator.behave("m", Behaviour::failing(500));
    let next = json!({"previous_response_id": id(&first.json())});
    respond(&caller, &request("m", next)).with_status(500);
    let key = format!("Bearer sk-provider-{}", &home[2..]);
    let calls = simulator.take();
    assert!(!calls.is_empty());
    for call in calls {
        assert_eq!(call.header("authorization"), Some(key.as_str()));
    }
}

/// The client is answered at once; the call is charged when the response has been made, whoever asks for it.
#[test]
fn what_is_made_in_the_background_is_charged_in_the_end() {
    let simulator = Simulator::start();
    let gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    let queued = respond(&caller, &request("m", json!({"background": true}))).with_status(200);
    assert_eq!(queued.header("x-litellm-response-cost"), None);
    let queued = queued.json();
    assert!(
        ["queued", "in_progress"].contains(&queued["status"].as_str().unwrap()),
        "{queued}"
    );
    let path = format!("/v1/responses/{}", id(&queued));
    until("it is made", Duration::from_secs(10), || {
        caller.get(&path).with_status(200).json()["status"] == "completed"
    });
    let rows = gateway.rows_when(1);
    assert!(
        rows[0].usage.total_tokens() > 0 && !rows[0].usage_estimated,
        "{rows:#?}"
    );
    // One that nobody asks for again.
    respond(&caller, &request("m", json!({"background": true}))).with_status(200);
    let rows = gateway.rows_when(2);
    assert!(
        rows.iter()
            .all(|row| row.http_status == 200 && !row.usage_estimated),
        "{rows:#?}"
    );
    // One that is cancelled.
    let queued = response(&caller, &request("m", json!({"background": true})));
    let cancel = format!("/v1/responses/{}/cancel", id(&queued));
    let cancelled = caller
        .ask(Request::new("POST", &cancel))
        .with_status(200)
        .json();
    assert_eq!(
        (&cancelled["id"], &cancelled["status"]),
        (&queued["id"], &json!("cancelled"))
    );
    gateway.rows_when(3);
}

/// Whoever has a response deleted before the gateway has seen its end pays for it, and its deployment has not failed.
#[test]
fn deleting_it_saves_nothing() {
    let simulator = Simulator::start();
    simulator.behave("m", Behaviour::saying("Kiel"));
    let of = |n: &str| {
        let deployment = Deployment::of(&simulator, "m").id(&format!("d-{n}"));
        deployment.info("allowed_fails", 0).priced(1e-6, 2e-6)
    };
    let gateway = Gateway::of(&Config::of([of("1"), of("2")]).router("num_retries", 0));
    let caller = gateway.caller(json!({}));
    let begin = || {
        let queued = response(
            &caller,
            &request("m", json!({"background": true, "max_output_tokens": 100})),
        );
        format!("/v1/responses/{}", id(&queued))
    };
    let delete = |path: &str| caller.ask(Request::new("DELETE", path)).with_status(200);
    // It has been made, and read.
    let path = begin();
    caller.get(&path).with_status(200);
    let made = caller.get(&path).with_status(200).json();
    assert_eq!(made["status"], "completed", "{made}");
    delete(&path);
    let row = &gateway.rows_when(1)[0];
    assert_eq!(row.http_status, 200, "{row:#?}");
    assert_eq!(
        Some(row.usage.total_tokens()),
        made["usage"]["total_tokens"].as_u64(),
        "{row:#?}"
    );
    // It is not made yet: what it will be is a guess.
    delete(&begin());
    let row = &gateway.rows_when(2)[0];
    assert_eq!(row.http_status, 499, "{row:#?}");
    assert!(
        row.usage_estimated && row.usage.prompt_tokens() > 0,
        "{row:#?}"
    );
    assert_eq!(row.usage.completion_tokens(), 100, "{row:#?}");
    assert!(row.spend.0 >= 200_000, "{row:#?}");
    assert!(
        !gateway.log().contains("takes no calls"),
        "nobody has failed"
    );
    gateway.books_agree();
}

/// A response that is made in the background goes on without its stream, and is charged in the end all the same.
#[test]
fn leaving_its_stream_saves_nothing() {
    let simulator = Simulator::start();
    let gateway = Gateway::of(&config(&simulator));
    let caller = gateway.caller(json!({}));
    let said = "one two three four five six seven eight nine ten eleven twelve";
    let body = request("m", json!({"background": true, "stream": true})).to_string();
    let begin = |behaviour: Value| {
        simulator.behave("m", Behaviour::of(behaviour));
        let mut connection = caller.connect();
        let request = caller.signed(Request::post("/v1/responses", body.clone()));
        connection.send(&request).expect("a request sent");
        let mut incoming = connection.incoming().expect("a head");
        connection.read_until(&mut incoming, "response.created");
        (connection, incoming)
    };
    // The client leaves when it knows the id: before there is any content, and in the middle of it.
    for behaviour in [
        json!({"content": said, "silent_after_chunks": 0}),
        json!({"content": said, "chunk_delay_ms": 200}),
    ] {
        begin(behaviour).0.leave();
    }
    // The stream is cut.
    let (mut connection, mut incoming) =
        begin(json!({"content": said, "error_mid_stream": {"after_chunks": 2}}));
    connection.read_until(&mut incoming, "response.failed");
    for row in gateway.rows_when(3) {
        assert_eq!(row.http_status, 200, "{row:#?}");
        assert!(!row.usage_estimated, "{row:#?}");
        assert!(row.usage.completion_tokens() >= 12, "{row:#?}");
    }
    gateway.books_agree();
}

/// Another account goes on with a stream: each reads its own thoughts, and the conversation goes on where it ended.
#[test]
fn thoughts_are_marked_by_who_had_them() {
    let simulators = [Simulator::start(), Simulator::start()];
    let of = |n: usize, weight: u32| {
        Deployment::of(&simulators[n], "m")
            .id(&format!("d-{n}"))
            .param("api_key", format!("sk-provider-{n}"))
            .param("weight", weight)
    };
    let config = Config::of([of(0, 1), of(1, 0)])
        .router("num_retries", 1)
        .router("mid_stream_failure", "resume")
        .never_cooling();
    let gateway = Gateway::of(&config);
    let caller = gateway.caller(json!({}));
    let thinking = |text: &str| json!([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": text}]);
    let cut = json!({"blocks": thinking("never said"), "error_mid_stream": {"after_chunks": 1}, "chunk_delay_ms": 20});
    simulators[0].behave("m", Behaviour::of(cut));
    simulators[1].behave("m", Behaviour::of(json!({"blocks": thinking("Kiel")})));
    let include =
        json!({"stream": true, "store": false, "include": ["reasoning.encrypted_content"]});
    let mut body = request("m", include);
    let reply = respond(&caller, &body).with_status(200);
    assert_eq!(simulators.each_ref().map(|one| one.take().len()), [1, 1]);
    let content = |item: &Value| item["encrypted_content"].as_str().map(str::to_owned);
    let events = super::events(&reply);
    let done = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done");
    let told: Vec<String> = done.filter_map(|event| content(&event["item"])).collect();
    let answer = &events.last().expect("an event")["response"];
    let output = answer["output"].as_array().expect("items");
    let repeated: Vec<String> = output.iter().filter_map(content).collect();
    assert_eq!(told, repeated, "{}", reply.text());
    let [first, second] = &told[..] else {
        panic!("two thoughts: {}", reply.text());
    };
    let maker = |content: &str| content.rsplit_once(';').map(|(mark, _)| mark.to_owned());
    assert_ne!(maker(first), maker(second), "{told:?}");
    // Whoever made the end of it goes on, and gets what it can read.
    let mut input = output.clone();
    input.push(json!({"role": "user", "content": "and?"}));
    body["input"] = json!(input);
    let reply = respond(&caller, &body).with_status(200);
    assert_eq!(made_by(&reply), "d-1");
    let sent = simulators[1].take().remove(0).json();
    let thoughts = sent["input"].as_array().expect("items").iter();
    let thoughts: Vec<String> = thoughts.filter_map(content).collect();
    assert_eq!(thoughts.len(), 1, "{sent}");
    assert!(second.ends_with(&thoughts[0]), "{sent}");
}

#[test]
fn who_makes_nothing_in_the_background_says_so() {
    let simulator = Simulator::start();
    let deployment = Deployment::of(&simulator, "m").param("model", "groq/m");
    let gateway = Gateway::of(&Config::of([deployment]).router("num_retries", 0));
    let refused = respond(
        &gateway.master(),
        &request("m", json!({"background": true})),
    );
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("background"), "{}", refused.text());
}

/// What was made short is read by the account that did it, and nobody else is asked with it.
#[test]
fn a_conversation_made_short_stays_where_it_was_made() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let caller = gateway.caller(json!({}));
    for _ in 0..4 {
        let first = response(&caller, &request("m", json!({})));
        let body = request(
            "m",
            json!({"previous_response_id": id(&first), "input": []}),
        );
        let short = caller.post("/v1/responses/compact", &body).with_status(200);
        let home = made_by(&short);
        let short = short.json();
        assert_eq!(short["object"], "response.compaction");
        let mut input = short["output"].as_array().unwrap().clone();
        let marked = input.last().unwrap()["encrypted_content"].as_str().unwrap();
        assert!(marked.starts_with("litellm_enc:"), "{short}");
        input.push(json!({"role": "user", "content": "and?"}));
        let next = request("m", json!({"input": input, "store": false}));
        let reply = respond(&caller, &next).with_status(200);
        assert_eq!(made_by(&reply), home);
    }
    let rows = gateway.rows_when(12);
    let short = rows
        .iter()
        .filter(|row| &*row.call_type == "acompact_responses");
    assert_eq!(short.filter(|row| row.usage.total_tokens() > 0).count(), 4);
    // Nobody else can read it: that is said, instead of a conversation without its beginning.
    let short = caller.post("/v1/responses/compact", &request("m", json!({})));
    let short = short.with_status(200).json();
    gateway.reload(&Config::of([Deployment::of(&simulator, "m").id("d-9")]).never_cooling());
    let next = request("m", json!({"input": short["output"]}));
    let refused = respond(&caller, &next).with_status(400);
    assert!(
        refused.message().contains("compaction"),
        "{}",
        refused.text()
    );
}
