//! How deployments of each mode are asked.

use super::{ids, json};
use crate::harness::{Config, Deployment, Gateway, Setup, Value};
use crate::simulator::{Behaviour, Simulator};

fn body(simulator: &Simulator, path: &str) -> Value {
    let asked = simulator.requests();
    let request = asked.iter().find(|request| request.path.ends_with(path));
    let request = request.unwrap_or_else(|| panic!("{path} was asked for: {asked:?}"));
    serde_json::from_slice(&request.body).unwrap_or_default()
}

#[test]
fn each_mode_has_its_address_and_body() {
    let simulator = Simulator::start();
    let modes = [
        ("chat", "/v1/chat/completions"),
        ("completion", "/v1/completions"),
        ("embedding", "/v1/embeddings"),
        ("responses", "/v1/responses"),
        ("image_generation", "/v1/images/generations"),
        ("image_edit", "/v1/images/edits"),
        ("audio_speech", "/v1/audio/speech"),
        ("audio_transcription", "/v1/audio/transcriptions"),
        ("rerank", "/v1/rerank"),
        ("moderation", "/v1/moderations"),
        ("ocr", "/v1/ocr"),
        ("realtime", "/v1/realtime?model=realtime"),
        ("video_generation", "/v1/videos?limit=1"),
        ("batch", "/v1/batches?limit=1"),
    ];
    let deployments = modes.map(|(mode, _)| Deployment::of(&simulator, mode).info("mode", mode));
    let config = Config::of(deployments);
    let gateway = Gateway::of(&config);
    let health = gateway.master().get("/health").with_status(200).json();
    assert_eq!(health["unhealthy_endpoints"], json!([]));
    assert_eq!(health["healthy_count"], modes.len());
    let mut asked: Vec<String> = simulator
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let mut expected = modes.map(|(_, path)| path.to_owned());
    asked.sort_unstable();
    expected.sort_unstable();
    assert_eq!(asked, expected);
    assert_eq!(
        body(&simulator, "/chat/completions")["messages"][0]["content"],
        "test from litellm"
    );
    assert_eq!(body(&simulator, "/audio/speech")["voice"], "alloy");
}

/// A WebSocket is opened and closed; a refusal of the handshake is told.
#[test]
fn a_realtime_session_is_opened() {
    let simulator = Simulator::start();
    simulator.behave("refused", Behaviour::failing(401));
    let realtime = |name: &str| Deployment::of(&simulator, name).info("mode", "realtime");
    let gateway = Gateway::of(&Config::of([
        realtime("well"),
        realtime("refused"),
        realtime("named").info("health_check_model", "openai/well"),
        Deployment::at("http://127.0.0.1:1/v1", "gone").info("mode", "realtime"),
    ]));
    let health = gateway.master().get("/health").with_status(200).json();
    assert_eq!(ids(&health, "healthy_endpoints"), ["id-well", "id-named"]);
    assert_eq!(
        ids(&health, "unhealthy_endpoints"),
        ["id-refused", "id-gone"]
    );
    assert_eq!(health["unhealthy_endpoints"][0]["status_code"], 401);
    let asked = simulator.requests();
    let handshake = asked.iter().find(|asked| asked.path.ends_with("=well"));
    let handshake = handshake.expect("a handshake");
    let header = |name: &str| {
        let header = handshake.headers.iter().find(|(own, _)| own == name);
        header.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert_eq!(handshake.method, "GET");
    assert_eq!(header("upgrade"), "websocket");
    assert!(header("connection").eq_ignore_ascii_case("upgrade"));
    assert_eq!(
        header("authorization"),
        format!("Bearer {}", crate::harness::PROVIDER_KEY)
    );
    // Nobody is left hanging.
    assert!(simulator.wait_until(crate::harness::SOON, |simulator| {
        simulator.in_flight("well") == 0
    }));
}

#[test]
fn a_failure_of_any_mode_is_told() {
    let simulator = Simulator::start();
    let modes = ["image_generation", "audio_transcription", "rerank"];
    for mode in modes {
        simulator.behave(mode, Behaviour::failing(401));
    }
    let deployments = modes.map(|mode| Deployment::of(&simulator, mode).info("mode", mode));
    let gateway = Gateway::of(&Config::of(deployments));
    let health = gateway.master().get("/health").with_status(200).json();
    assert_eq!(health["unhealthy_count"], modes.len());
    for endpoint in health["unhealthy_endpoints"].as_array().expect("them") {
        assert_eq!(endpoint["status_code"], 401, "{endpoint}");
    }
}

/// What is asked, how much and how long, where nothing says otherwise; and who speaks.
#[test]
fn the_environment_says_what_is_asked() {
    let simulator = Simulator::start();
    simulator.behave("slow", Behaviour::of(json!({"hang": "before_head"})));
    let config = Config::of([
        Deployment::of(&simulator, "m"),
        Deployment::of(&simulator, "own").info("health_check_max_tokens", 4),
        Deployment::of(&simulator, "slow"),
        Deployment::of(&simulator, "speech")
            .info("mode", "audio_speech")
            .info("health_check_voice", "ash"),
    ]);
    let gateway = Setup::new(&config)
        .env("DEFAULT_HEALTH_CHECK_PROMPT", "are you \"well\"?")
        .env("BACKGROUND_HEALTH_CHECK_MAX_TOKENS", "7")
        .env("HEALTH_CHECK_TIMEOUT_SECONDS", "1")
        .start();
    let health = gateway.master().get("/health").with_status(200).json();
    assert_eq!(ids(&health, "unhealthy_endpoints"), ["id-slow"]);
    assert_eq!(health["unhealthy_endpoints"][0]["status_code"], 408);
    let of = |model: &str| -> Value {
        let asked = simulator.requests();
        let request = asked
            .iter()
            .find(|asked| asked.model.as_deref() == Some(model));
        serde_json::from_slice(&request.expect("asked").body).expect("JSON")
    };
    assert_eq!(of("m")["messages"][0]["content"], "are you \"well\"?");
    assert_eq!(
        (&of("m")["max_tokens"], &of("own")["max_tokens"]),
        (&json!(7), &json!(4))
    );
    assert_eq!(
        (&of("speech")["voice"], &of("speech")["input"]),
        (&json!("ash"), &json!("are you \"well\"?"))
    );
}

/// The cheapest models of its provider, one after the other.
#[test]
fn behind_a_star_the_cheapest_models_are_asked() {
    let simulator = Simulator::start();
    let config = Config::of([
        Deployment::of(&simulator, "*").group("openai/*"),
        Deployment::of(&simulator, "*")
            .group("named/*")
            .info("id", "named")
            .info("health_check_model", "openai/named"),
        Deployment::of(&simulator, "none-*")
            .group("none/*")
            .info("id", "none"),
    ]);
    let gateway = Gateway::of(&config);
    simulator.behave_by_default(Behaviour::failing(404));
    simulator.behave("named", Behaviour::default());
    let health = gateway.master().get("/health").with_status(200).json();
    assert_eq!(ids(&health, "healthy_endpoints"), ["named"]);
    let asked: Vec<String> = simulator
        .requests()
        .into_iter()
        .filter_map(|request| request.model)
        .filter(|model| model != "named")
        .collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked.iter().all(|model| !model.contains('*')), "{asked:?}");
    let none = &health["unhealthy_endpoints"][1];
    assert!(
        none["error"]
            .as_str()
            .is_some_and(|text| text.contains("health_check_model")),
        "{none}"
    );
    // The second of them works.
    simulator.behave(&asked[1], Behaviour::default());
    let health = gateway
        .master()
        .get("/health?model=openai/*")
        .with_status(200)
        .json();
    assert_eq!(health["healthy_count"], 1, "{health}");
}
