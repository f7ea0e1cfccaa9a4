//! G7: another configuration is put in force while calls go on, as a whole or not at all.

use std::time::Duration;

use crate::harness::{
    Config, Deployment, Gateway, SOON, Setup, chat, chat_with, json, streamed, under_load, until,
};
use crate::simulator::{Behaviour, Simulator};

fn gateway(simulator: &Simulator) -> Gateway {
    Gateway::of(&Config::single(simulator, "m"))
}

fn paths(value: &serde_json::Value) -> Vec<&str> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(serde_json::Value::as_str).collect()
}

#[test]
fn the_answer_says_what_has_changed() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let config = Config::of([
        Deployment::of(&simulator, "m").param("rpm", 7),
        Deployment::of(&simulator, "n"),
    ])
    .router("num_retries", 0)
    .never_cooling()
    .router("timeout", 9)
    .general("max_request_size_mb", 1)
    .general("proxy_batch_write_at", 2);
    let told = gateway.reload(&config);
    assert_eq!(
        told["added"],
        json!([{"model_name": "n", "model_id": "id-n"}])
    );
    assert_eq!(
        told["changed"],
        json!([{"model_name": "m", "model_id": "id-m", "fields": ["litellm_params.rpm"]}])
    );
    assert_eq!(told["removed"], json!([]));
    assert_eq!(
        paths(&told["settings"]),
        [
            "general_settings.max_request_size_mb",
            "router_settings.timeout"
        ]
    );
    assert_eq!(
        paths(&told["takes_effect_at_the_next_start"]),
        ["general_settings.proxy_batch_write_at"]
    );
    // Both in force, on every thread.
    for _ in 0..8 {
        let answered = gateway.master().chat(&chat("n")).with_status(200);
        assert_eq!(answered.must("x-litellm-timeout"), "9.0");
        let too_large = chat_with("n", json!({"padding": "x".repeat(2 << 20)}));
        gateway.master().chat(&too_large).with_status(413);
    }
    let again = gateway.reload(&config);
    assert_eq!(
        again["message"],
        "nothing has changed; takes effect at the next start: general_settings.proxy_batch_write_at"
    );
    let told = gateway.reload(&Config::single(&simulator, "m"));
    assert_eq!(
        told["removed"],
        json!([{"model_name": "n", "model_id": "id-n"}])
    );
    until("it is gone for every thread", SOON, || {
        gateway.master().chat(&chat("n")).status == 400
    });
    let listed = gateway.master().get("/v1/models").json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_file_with_errors_changes_nothing_and_says_so() {
    let simulator = Simulator::start();
    let mut gateway = gateway(&simulator);
    let broken = Config::of([Deployment::of(&simulator, "n")]).router("num_retries", "many");
    gateway.change_config(&broken);
    let refused = gateway.master().post("/config/reload", &json!({}));
    let refused = refused.with_status(400);
    for part in ["gateway.yaml:1:", "router_settings.num_retries"] {
        assert!(refused.message().contains(part), "{}", refused.message());
    }
    gateway.master().chat(&chat("m")).with_status(200);
    gateway.master().chat(&chat("n")).with_status(400);
    // Requests are served, so the instance is ready; it says that it is not what the file wants.
    let ready = gateway.anonymous().get("/health/readiness");
    assert_eq!(ready.with_status(200).json()["config"], "outdated");
    let details = gateway.master().get("/health/readiness/details").json();
    let complaints = details["config_complaints"].to_string();
    assert!(complaints.contains("num_retries"), "{details}");
    assert_eq!(gateway.metric("pointsman_config_reload_failed"), Some(1.0));
    assert!(gateway.metric("pointsman_config_reload_failed_timestamp_seconds") > Some(1e9));
    assert!(gateway.log().contains("the one in force stays"));
    // No YAML at all.
    std::fs::write(gateway.config_file(), "model_list: [\n").unwrap();
    gateway
        .master()
        .post("/config/reload", &json!({}))
        .with_status(400);
    gateway.reload(&Config::single(&simulator, "m"));
    let ready = gateway.anonymous().get("/health/readiness");
    assert_eq!(ready.json()["config"], "current");
    assert_eq!(gateway.metric("pointsman_config_reload_failed"), Some(0.0));
    assert_eq!(gateway.metric("pointsman_config_reloads_failed"), Some(2.0));
}

#[test]
fn a_hundred_reloads_break_no_stream() {
    const STREAMS: usize = 1000;
    let simulator = Simulator::start();
    simulator.record(false);
    let mut gateway = Setup::new(&Config::single(&simulator, "m"))
        .log("info")
        .start();
    let how = json!({"simulate": {"chunks": 12, "chunk_delay_ms": 400}});
    let body = streamed("m", how);
    let mut streams: Vec<_> = (0..STREAMS).map(|_| gateway.master().send(&body)).collect();
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("m") == STREAMS));
    let variants = [
        // The deployment of all streams is gone.
        Config::of([Deployment::of(&simulator, "n")]),
        // It is back, with other limits, beside others.
        Config::of([
            Deployment::of(&simulator, "o"),
            Deployment::of(&simulator, "m").param("max_parallel_requests", 5),
            Deployment::of(&simulator, "n").group("m"),
        ])
        .router("timeout", 30),
        Config::single(&simulator, "m").router("routing_strategy", "least-busy"),
        Config::of([]),
    ];
    for round in 0..100 {
        gateway.reload(&variants[round % variants.len()]);
    }
    assert!(
        simulator.in_flight("m") > 0,
        "the reloads took longer than the streams"
    );
    for stream in &mut streams {
        let reply = stream.reply().expect("a whole stream").with_status(200);
        assert!(reply.is_done(), "{}", reply.text());
    }
    assert_eq!(simulator.hangups().len(), 0);
    until("nothing is left over", SOON, || {
        gateway.metric("pointsman_open_holds") == Some(0.0)
            && gateway.metric("pointsman_in_flight_requests") == Some(0.0)
    });
    assert_eq!(gateway.rows_when(STREAMS).len(), STREAMS);
    gateway.books_agree();
}

#[test]
fn calls_under_load_notice_nothing() {
    let simulator = Simulator::start();
    simulator.record(false);
    let group = |names: &[&str]| {
        let members = names
            .iter()
            .map(|name| Deployment::of(&simulator, name).group("m"));
        Config::of(members).router("num_retries", 0)
    };
    let variants = [
        group(&["a", "b"]),
        group(&["b", "c"]),
        group(&["c"]),
        group(&["d", "a", "c"]),
    ];
    let mut gateway = Setup::new(&variants[0]).log("info").start();
    let master = gateway.master();
    let answered = under_load(&master, 64, &chat("m"), || {
        for round in 1..=60 {
            gateway.reload(&variants[round % variants.len()]);
        }
    });
    assert!(answered > 200, "{answered} answers are no load");
    until("every answer is booked", SOON, || {
        gateway.metric("pointsman_ledger_rows_booked") == Some(answered as f64)
    });
    gateway.books_agree();
    until("nothing is left over", SOON, || {
        gateway.metric("pointsman_open_holds") == Some(0.0)
    });
}

#[test]
fn what_stays_keeps_what_is_known_of_it() {
    let simulator = Simulator::start();
    let config = |slots: u32, more: bool| {
        let one = Deployment::of(&simulator, "m").param("max_parallel_requests", slots);
        let other = Deployment::of(&simulator, "n");
        let list = if more { vec![other, one] } else { vec![one] };
        Config::of(list).router("num_retries", 0)
    };
    let mut gateway = Gateway::of(&config(1, false));
    let mut held = gateway
        .master()
        .send(&chat_with("m", json!({"simulate": {"hold": true}})));
    assert!(simulator.wait_until(SOON, |simulator| simulator.held() == 1));
    gateway.reload(&config(1, true));
    // Its slot is still in use, though its place in the list is another.
    gateway.master().chat(&chat("m")).with_status(429);
    gateway.reload(&config(2, true));
    gateway.master().chat(&chat("m")).with_status(200);
    simulator.release();
    held.reply().unwrap().with_status(200);
    let health = gateway.master().get("/health?model_id=id-m").json();
    let deployment = &health["healthy_endpoints"][0];
    assert_eq!(deployment["successful_calls"], 2, "{health}");
    assert_eq!(deployment["in_flight_requests"], 0, "{health}");
}

#[test]
fn another_key_is_used_from_the_next_call_on() {
    let simulator = Simulator::start();
    simulator.expect_key(Some("sk-second-provider-key-PLANTED"));
    let mut gateway = gateway(&simulator);
    gateway.plant("sk-second-provider-key-PLANTED");
    gateway.master().chat(&chat("m")).with_status(401);
    let mut second = Deployment::of(&simulator, "m");
    second = second.param("api_key", "sk-second-provider-key-PLANTED");
    let told = gateway.reload(&Config::of([second]).router("num_retries", 0));
    assert_eq!(
        paths(&told["changed"][0]["fields"]),
        ["litellm_params.api_key"]
    );
    // What it says is searched for the key at the end.
    for _ in 0..4 {
        gateway.master().chat(&chat("m")).with_status(200);
    }
}

#[test]
fn sighup_reloads() {
    let simulator = Simulator::start();
    let off = |config: Config| config.general("config_watch_interval", 0);
    let mut gateway = Gateway::of(&off(Config::single(&simulator, "m")));
    gateway.change_config(&off(Config::of([Deployment::of(&simulator, "n")])));
    gateway.signal(libc::SIGHUP);
    until("the other model is served", SOON, || {
        gateway.master().chat(&chat("n")).status == 200
    });
    assert!(gateway.log().contains("configuration reloaded (SIGHUP): "));
}

/// As an editor writes it, and as Kubernetes swaps the folder behind a link; an included file counts as well.
#[test]
fn the_files_are_watched() {
    let simulator = Simulator::start();
    let often = |config: Config| config.general("config_watch_interval", 0.1);
    let mut gateway = Gateway::of(&often(Config::single(&simulator, "m")));
    let is_served = |gateway: &Gateway, model: &str| {
        until(&format!("{model} is served"), SOON, || {
            gateway.master().chat(&chat(model)).status == 200
        });
    };
    gateway.change_config(&often(Config::of([Deployment::of(&simulator, "n")])));
    is_served(&gateway, "n");

    let folder = gateway.config_file().parent().unwrap().to_owned();
    let version = |name: &str, model: &str| {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        let entry = Config::of([Deployment::of(&simulator, model)]).text();
        let entry: serde_json::Value = serde_json::from_str(&entry).unwrap();
        let included = json!({"model_list": entry["model_list"]});
        std::fs::write(folder.join("models.yaml"), included.to_string()).unwrap();
        let main = json!({
            "include": ["models.yaml"],
            "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "config_watch_interval": 0.1},
        });
        std::fs::write(folder.join("gateway.yaml"), main.to_string()).unwrap();
    };
    let swap = |from: &str, to: &str| {
        let link = folder.join("new-link");
        std::os::unix::fs::symlink(to, &link).unwrap();
        std::fs::rename(link, folder.join(from)).unwrap();
    };
    version("..1", "o");
    version("..2", "p");
    swap("..data", "..1");
    swap("models.yaml", "..data/models.yaml");
    swap("gateway.yaml", "..data/gateway.yaml");
    is_served(&gateway, "o");
    swap("..data", "..2");
    is_served(&gateway, "p");
    // The included file alone.
    let models = std::fs::read_to_string(folder.join("..1/models.yaml")).unwrap();
    std::fs::write(folder.join("..2/models.yaml"), models).unwrap();
    is_served(&gateway, "o");
    // Nothing is reloaded while nothing changes.
    let count = gateway.metric("pointsman_config_reloads");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(gateway.metric("pointsman_config_reloads"), count);
}

/// A watch that is switched off looks no more, until it is switched on.
#[test]
fn the_watch_can_be_switched_off() {
    let simulator = Simulator::start();
    let off = |config: Config| config.general("config_watch_interval", 0);
    let mut gateway = Gateway::of(&off(Config::single(&simulator, "m")));
    gateway.change_config(&off(Config::of([Deployment::of(&simulator, "n")])));
    // That nothing happens shows in nothing but time.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(gateway.metric("pointsman_config_reloads"), Some(0.0));
}

#[test]
fn a_stream_ends_under_the_name_and_price_it_began_with() {
    let simulator = Simulator::start();
    let priced = |price: f64| {
        Config::of([Deployment::of(&simulator, "m").priced(price, price)]).router("num_retries", 0)
    };
    let mut gateway = Gateway::of(&priced(1e-6));
    simulator.behave(
        "m",
        Behaviour::of(json!({"chunks": 4, "chunk_delay_ms": 150, "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}})),
    );
    let (mut connection, mut incoming) = gateway.master().begin(&streamed("m", json!({})));
    gateway.reload(&priced(2e-6));
    connection.read_until(&mut incoming, "[DONE]");
    gateway.master().chat(&chat("m")).with_status(200);
    let spent: Vec<i64> = gateway.rows_when(2).iter().map(|row| row.spend.0).collect();
    assert_eq!(spent, [40_000, 20_000], "newest first");
}
