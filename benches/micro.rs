//! What the pieces of the hot path cost, one by one: `cargo bench --bench micro`.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use divan::Bencher;
use pointsman::auth::credential;
use pointsman::catalog;
use pointsman::config::Config;
use pointsman::limits::{Gatekeeper, ScopeKind, Settlement};
use pointsman::policy::cost::{Adjustment, CallFacts, Tariff};
use pointsman::protocol::crossing;
use pointsman::protocol::neutral::Dialect;
use pointsman::protocol::openai::answer::AnswerSpans;
use pointsman::protocol::openai::request::Request;
use pointsman::protocol::openai::stream::{StreamEditor, StreamForm};
use pointsman::protocol::openai_chat::REQUEST;
use pointsman::protocol::{anthropic, openai_chat};
use pointsman::router::{
    Asker, Begin, Control, End, Estimate, Kin, Outcome, RoutingTable, Turn, TurnAnswer, Used, Wish,
};
use pointsman::spend::journal::{JournalWriter, Opened, Syncer};
use pointsman::store::{AnyConnection, FlushBatch, FlushItem, NameCache, queries};
use pointsman::types::{
    CallStatus, DatabaseUrl, KeyHash, LedgerId, Limits, NanoUsd, Operation, Scope, SpendRow, Usage,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    divan::main();
}

/// A table of so many groups, each of so many deployments.
fn table(groups: usize, deployments: usize, strategy: &str) -> Arc<RoutingTable> {
    let entry = |group: usize, number: usize| {
        format!(
            "  - model_name: m{group}\n    litellm_params: {{model: openai/gpt-4o, api_base: 'http://h{number}/v1', api_key: k, rpm: 1000000, max_parallel_requests: 1000000}}\n"
        )
    };
    let entries: String = (0..groups)
        .flat_map(|group| (0..deployments).map(move |number| entry(group, number)))
        .collect();
    let text = format!("model_list:\n{entries}router_settings:\n  routing_strategy: {strategy}\n");
    let loaded = Config::from_text("bench.yaml", &text, &|_| None).expect("the text is YAML");
    Arc::new(RoutingTable::compile(&loaded.config))
}

const BEGIN: Begin = Begin {
    scopes: [None; 3],
    group: 0,
    estimate: Estimate {
        input_tokens: 30,
        max_tokens: None,
        choices: 1,
        tier: None,
    },
    user_budget_binds: false,
    is_copy: false,
    is_stream: false,
    pin: None,
    costs: None,
    wish: None,
    queue: None,
};

/// One request after another, each admitted, given to a deployment, and ended.
fn rounds(
    table: Arc<RoutingTable>,
    keeper: Rc<RefCell<Gatekeeper>>,
    begin: Begin,
) -> impl FnMut() -> TurnAnswer {
    let mut control = Control::new(table, keeper);
    let begins = Turn {
        begins: vec![begin],
        ..Turn::default()
    };
    move || {
        let mut answer = control.turn(black_box(&begins));
        let ticket = answer.begins.pop().and_then(Result::ok).expect("granted");
        let outcome = Outcome::Success {
            latency_ms: 1.0,
            first_token_ms: None,
        };
        let end = End {
            hold: Some(ticket.hold),
            lease: Some((ticket.lease, outcome)),
            group: 0,
            settlement: Settlement {
                tokens: 40,
                cost: NanoUsd(100),
            },
            used: Used {
                input: 30,
                output: 10,
                cost: NanoUsd(100),
            },
            output_tokens: Some(10),
            ..End::default()
        };
        control.turn(&Turn {
            ends: vec![end],
            ..Turn::default()
        })
    }
}

fn gatekeeper() -> Rc<RefCell<Gatekeeper>> {
    Rc::new(RefCell::new(Gatekeeper::new(60_000, false)))
}

/// A deployment chosen for a request without limits of its own, and the call ended.
fn decide(bencher: Bencher, table: Arc<RoutingTable>, session: Option<u64>) {
    let kin = Kin {
        session,
        ..Kin::default()
    };
    let wish = session.map(|_| Wish {
        kin,
        ..Wish::default()
    });
    let begin = Begin {
        wish: wish.map(Arc::new),
        ..BEGIN
    };
    let mut round = rounds(table, gatekeeper(), begin);
    // Each has answered: nobody is chosen for being new.
    (0..20_000).for_each(|_| drop(round()));
    bencher.bench_local(round);
}

/// By the number of deployments in the group.
#[divan::bench(
    args = [10, 100, 1_000, 10_000],
    consts = [0, 1, 2, 3, 4, 5, 6],
)]
fn decision<const STRATEGY: usize>(bencher: Bencher, deployments: usize) {
    let strategy = [
        "simple-shuffle",
        "least-busy",
        "usage-based-routing",
        "latency-based-routing",
        "cost-based-routing",
        "p2c-ewma",
        "cache-affinity",
    ][STRATEGY];
    decide(bencher, table(1, deployments, strategy), None);
}

/// By the number of groups, of ten deployments each.
#[divan::bench(args = [1, 10, 100, 1_000])]
fn decision_among_groups(bencher: Bencher, groups: usize) {
    decide(bencher, table(groups, 10, "least-busy"), None);
}

/// The call belongs to a session, and goes where its cache is.
#[divan::bench(args = [10, 100, 1_000, 10_000])]
fn decision_for_a_session(bencher: Bencher, deployments: usize) {
    decide(bencher, table(1, deployments, "cache-affinity"), Some(7));
}

/// From a requested name to its group, among 1,000 names of each kind: of a group, by an alias, by a deployment's id, behind a
/// star, and one that nobody knows.
#[divan::bench(args = ["group", "alias", "id", "star", "the last star", "nobody"])]
fn resolve(bencher: Bencher, kind: &str) {
    let entry = |number: usize| {
        format!(
            "  - {{model_name: m{number}, litellm_params: {{model: openai/m{number}, api_key: k}}, model_info: {{id: id{number}}}}}\n  \
             - {{model_name: p{number}/*, litellm_params: {{model: openai/*, api_key: k}}}}\n"
        )
    };
    let entries: String = (0..1_000).map(entry).collect();
    let aliases: String = (0..1_000)
        .map(|number| format!("    a{number}: m{number}\n"))
        .collect();
    let text = format!("model_list:\n{entries}router_settings:\n  model_group_alias:\n{aliases}");
    let loaded = Config::from_text("bench.yaml", &text, &|_| None).expect("the text is YAML");
    let table = RoutingTable::compile(&loaded.config);
    let name = match kind {
        "group" => "m500",
        "alias" => "a500",
        "id" => "id500",
        // Patterns that say as much come in the order of the file.
        "star" => "p500/gpt-4o",
        "the last star" => "p9/gpt-4o",
        _ => "there-is-no-such-model",
    };
    let found = table.resolve(name, Asker::default()).is_ok();
    assert_eq!(found, kind != "nobody");
    bencher.bench_local(|| table.resolve(black_box(name), Asker::default()));
}

/// One request admitted in three limited scopes, routed, and settled.
#[divan::bench(args = [10, 100, 1_000], consts = [0, 1])]
fn begin_to_ticket_and_end<const LEAST_BUSY: usize>(bencher: Bencher, deployments: usize) {
    let strategy = ["simple-shuffle", "least-busy"][LEAST_BUSY];
    let keeper = gatekeeper();
    let limits = Limits {
        rpm: Some(u64::MAX),
        tpm: Some(u64::MAX),
        max_parallel_requests: None,
        max_budget: Some(NanoUsd(i64::MAX)),
        soft_budget: None,
    };
    let kinds = [ScopeKind::Key, ScopeKind::User, ScopeKind::Team];
    let scopes = kinds.map(|kind| {
        let scope = Scope {
            limits,
            ..Scope::unlimited("x")
        };
        Some(keeper.borrow_mut().enroll(kind, &scope))
    });
    let begin = Begin { scopes, ..BEGIN };
    bencher.bench_local(rounds(table(1, deployments, strategy), keeper, begin));
}

#[divan::bench]
fn key_from_headers_and_hash(bencher: Bencher) {
    let mut headers = actix_web::http::header::HeaderMap::new();
    let value =
        actix_web::http::header::HeaderValue::from_static("Bearer sk-0SxQIeVCmtP5ZoyF9DWObw");
    headers.insert(actix_web::http::header::AUTHORIZATION, value);
    bencher.bench_local(|| KeyHash::of(credential(black_box(&headers)).expect("a key")));
}

fn request(content: usize) -> String {
    let text = "A line of text with a \\\"quote\\\" in it.\\n".repeat(content / 40);
    format!(
        r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"Say hello. {text}"}}],"temperature":0.7,"max_tokens":100}}"#
    )
}

#[divan::bench(args = [0, 200_000])]
fn request_read_and_edited(bencher: Bencher, content: usize) {
    let body = bytes::Bytes::from(request(content));
    let plan = pointsman::providers::parameters::Plan::default();
    bencher
        .counter(divan::counter::BytesCount::of_slice(&body[..]))
        .bench_local(|| {
            let request = Request::read(&REQUEST, black_box(&body), None).expect("a chat request");
            request.upstream_body(b"\"gpt-4o-2024-11-20\"", &plan)
        });
}

/// A conversation of 200 KB in turns of 2 KB, a line end in each 80 bytes, from one protocol to another.
#[divan::bench(args = ["Messages → Chat", "Chat → Messages", "Responses → Chat", "Responses → Messages"])]
fn history_across(bencher: Bencher, way: &str) {
    let line = "The pointsman sets the track for every train that comes along the line, 24 h.\n";
    let text: String = line.chars().cycle().take(2_000).collect();
    let turns: Vec<_> = (0..101)
        .map(|turn| {
            let role = if turn % 2 == 0 { "user" } else { "assistant" };
            serde_json::json!({"role": role, "content": text})
        })
        .collect();
    let (from, to) = way.split_once(" → ").expect("two names");
    let (from, body) = match from {
        "Chat" => (
            Dialect::Chat,
            serde_json::json!({"model": "m", "messages": turns}),
        ),
        "Messages" => (
            Dialect::Anthropic,
            serde_json::json!({"model": "m", "max_tokens": 100, "messages": turns}),
        ),
        _ => (
            Dialect::Responses,
            serde_json::json!({"model": "m", "input": turns}),
        ),
    };
    let target = match to {
        "Chat" => crossing::Target::Chat(openai_chat::Target::openai("gpt-4o", None)),
        _ => crossing::Target::Anthropic(anthropic::Target::unknown("claude")),
    };
    let body = Bytes::from(body.to_string());
    bencher
        .counter(divan::counter::BytesCount::of_slice(&body[..]))
        .bench_local(|| crossing::request(from, black_box(&body), &target).expect("a request"));
}

const ANSWER: &str = r#"{"id":"chatcmpl-123456789012345678901234567","object":"chat.completion","created":1700000000,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help you today?","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_44709d6fcb"}"#;

#[divan::bench]
fn answer_read_and_edited(bencher: Bencher) {
    bencher.bench_local(|| {
        let body = black_box(ANSWER.as_bytes());
        let spans = AnswerSpans::read(body).expect("an answer");
        spans.with_model(body, b"\"gpt-4o\"")
    });
}

#[divan::bench]
fn sse_event_edited(bencher: Bencher) {
    let event = Bytes::from_static(
        b"data: {\"id\":\"chatcmpl-123456789012345678901234567\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" Hello\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
    );
    let mut editor = StreamEditor::new(StreamForm {
        model_json: b"\"gpt-4o\"".to_vec(),
        wants_usage: false,
        operation: Operation::Chat,
        from_chat: false,
        id: "id".into(),
        created: 1,
        is_openai: true,
        says_reasoning: false,
    });
    bencher.bench_local(move || editor.feed(black_box(event.clone())));
}

#[divan::bench]
fn cost_of_a_plain_chat(bencher: Bencher) {
    let entry = catalog::find("openai", "gpt-4o").expect("in the catalogue");
    let tariff = Tariff::new("openai", &entry.prices, None, Adjustment::default());
    let usage = Usage {
        input: 1000,
        cache_read: 200,
        output: 300,
        ..Usage::default()
    };
    let facts = CallFacts::default();
    bencher.bench_local(|| black_box(&tariff).bill(black_box(&usage), &facts, None, 0));
}

fn row(number: u64, keys: u64) -> SpendRow {
    let key = KeyHash::of(&format!("sk-{}", number % keys));
    SpendRow {
        ledger_id: LedgerId::now(),
        key_hash: key,
        user_id: Some("user".into()),
        team_id: Some("team".into()),
        end_user: None,
        started_at: 1_700_000_000_000_000,
        ended_at: 1_700_000_000_500_000,
        first_token_at: None,
        call_type: "acompletion".into(),
        status: CallStatus::Success,
        model: "gpt-4o".into(),
        model_group: "gpt-4o".into(),
        model_id: "b20de01f0736ce8945ee1f499f9bf6ef62e04609f1529ef76c7be04175fcefdf".into(),
        provider: "openai".into(),
        api_base: "https://api.openai.com/v1".into(),
        spend: NanoUsd(4_500_000),
        cost: Default::default(),
        usage: Usage {
            input: 1000,
            output: 200,
            ..Usage::default()
        },
        usage_estimated: false,
        request_id: format!("chatcmpl-{number}").into(),
        call_id: "56f617b3-9467-478b-a542-c04a33c1582e".into(),
        retries: 0,
        http_status: 200,
        error_class: None,
        client_ip: Some("127.0.0.1".into()),
        user_agent: None,
        labels: None,
        budgets: Vec::new(),
    }
}

/// An `Opened` and a `Settled` record, and 16 requests a `write`, as at full load.
#[divan::bench]
fn journal_append(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a folder");
    let syncer = Syncer::start().expect("a thread");
    let mut writer = JournalWriter::new(folder.path().to_owned(), syncer);
    let row = row(1, 1);
    let opened = Opened {
        ledger_id: row.ledger_id,
        key_hash: row.key_hash,
        user_id: row.user_id.clone(),
        team_id: row.team_id.clone(),
        started_at: row.started_at,
        model: row.model.clone(),
        model_group: row.model_group.clone(),
        model_id: row.model_id.clone(),
        provider: row.provider.clone(),
        api_base: row.api_base.clone(),
        call_id: row.call_id.clone(),
        call_type: row.call_type.clone(),
        hold: NanoUsd(1),
    };
    let mut since_write = 0;
    bencher.bench_local(move || {
        let place = writer.opened(&opened);
        writer.settled(Some(place), row.clone());
        since_write += 1;
        if since_write == 16 {
            since_write = 0;
            writer.write_out().expect("written");
            writer.take_settled();
        }
    });
}

/// One transaction of 1,000 rows over so many keys.
#[divan::bench(args = [1, 200, 10_000], sample_count = 20, sample_size = 1)]
fn flush_of_1000_rows(bencher: Bencher, keys: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("bench.db"));
    let mut connection = AnyConnection::open(&url).expect("a database");
    queries::migrate(&mut connection).expect("migrated");
    let mut names = NameCache::default();
    let mut seq = 0;
    bencher
        .counter(divan::counter::ItemsCount::new(1_000usize))
        .bench_local(move || {
            let item = |offset: u64| FlushItem {
                journal: [1; 16],
                seq: seq + offset,
                row: row(fastrand::u64(..), keys),
            };
            let batch = FlushBatch {
                items: (1..=1_000).map(item).collect(),
                checkpoints: Vec::new(),
            };
            seq += 1_000;
            queries::flush_spend(&mut connection, &mut names, &batch).expect("booked")
        });
}
