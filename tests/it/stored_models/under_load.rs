//! A hundred changes while streams are open and calls come in: nobody notices, and nothing is left over.

use super::{add, config, delete, model, update};
use crate::harness::{SOON, Setup, chat, json, streamed, under_load, until};
use crate::simulator::Simulator;

const STREAMS: usize = 200;
const CALLERS: usize = 16;
const CHANGES: usize = 100;

#[test]
fn a_hundred_changes_under_streams_and_load() {
    let simulator = Simulator::start();
    simulator.record(false);
    let gateway = Setup::new(&config(&simulator)).log("info").start();
    let master = gateway.master();
    // The group under load keeps a member that nobody touches; the streams run on one that comes and goes.
    let of_group = |name: &str| {
        let mut new = model(&simulator, name);
        new["model_name"] = json!("g");
        new
    };
    for name in ["stays", "s"] {
        add(&master, &of_group(name));
    }
    add(&master, &model(&simulator, "streams"));
    let long = streamed(
        "streams",
        json!({"simulate": {"chunks": 60, "chunk_delay_ms": 250}}),
    );
    let mut streams: Vec<_> = (0..STREAMS).map(|_| master.send(&long)).collect();
    assert!(simulator.wait_until(SOON, |simulator| simulator.in_flight("streams") == STREAMS));
    let answered = under_load(&master, CALLERS, &chat("g"), || {
        for round in 0..CHANGES / 10 {
            let more = format!("more-{round}");
            add(&master, &of_group(&more));
            update(
                &master,
                "s",
                json!({"litellm_params": {"rpm": 1_000_000 + round}}),
            )
            .with_status(200);
            update(
                &master,
                &more,
                json!({"litellm_params": {"max_parallel_requests": 500}}),
            )
            .with_status(200);
            for route in ["/model/block", "/model/unblock"] {
                master
                    .post(route, &json!({"model_id": "s"}))
                    .with_status(200);
            }
            // The deployment of all open streams goes, and comes back.
            delete(&master, "streams").with_status(200);
            add(&master, &model(&simulator, "streams"));
            update(&master, "streams", json!({"model_info": {"round": round}})).with_status(200);
            master
                .post("/model/block", &json!({"model_id": more}))
                .with_status(200);
            delete(&master, &more).with_status(200);
        }
        assert!(
            simulator.in_flight("streams") > 0,
            "the changes took longer than the streams"
        );
    });
    assert!(answered > 100, "{answered} answers are no load");
    for stream in &mut streams {
        let reply = stream.reply().expect("a whole stream").with_status(200);
        assert!(reply.is_done(), "{}", reply.text());
    }
    assert_eq!(simulator.hangups().len(), 0);
    until("nothing is left over", SOON, || {
        gateway.metric("pointsman_open_holds") == Some(0.0)
            && gateway.metric("pointsman_in_flight_requests") == Some(0.0)
    });
    until("every answer is booked", SOON, || {
        gateway.metric("pointsman_ledger_rows_booked") == Some((answered + STREAMS) as f64)
    });
    gateway.books_agree();
}
