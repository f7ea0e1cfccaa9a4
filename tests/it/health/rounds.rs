//! Rounds of the background while something goes wrong.

use super::{in_background, json};
use crate::harness::postgres::{Schema, Server};
use crate::harness::{Config, Deployment, SOON, Setup, until};
use crate::simulator::{Behaviour, Simulator};

/// A panic costs its own round, and the board what was posted with it.
#[test]
fn a_panic_ends_one_round_and_not_all() {
    for place in ["health.round", "health.look", "health.post"] {
        let simulator = Simulator::start();
        let gateway = Setup::new(&in_background(&simulator, 1.0))
            .env("POINTSMAN_FAULTS", &format!("at={place},count=1"))
            .start();
        gateway.signal(libc::SIGUSR2);
        until(place, SOON, || {
            gateway.log().contains(&format!("on purpose at {place}"))
        });
        let before = simulator.received("well");
        until("other rounds follow", SOON, || {
            simulator.received("well") >= before + 2
        });
        let health = gateway.master().get("/health").with_status(200).json();
        assert_eq!(health["healthy_count"], 1, "{place}");
    }
}

/// Where the database goes away in the middle of a round that instances share, those who are being asked are asked no second time.
#[test]
fn a_round_survives_its_database() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let simulator = Simulator::start();
    simulator.behave("slow", Behaviour::of(json!({"hold": true})));
    let config = Config::of([Deployment::of(&simulator, "slow")])
        .general("background_health_checks", true)
        .general("use_shared_health_check", true);
    let gateway = Setup::new(&config)
        .env("DEFAULT_SHARED_HEALTH_CHECK_LOCK_TTL", "3")
        .start_in(Schema::at(&server.url("")));
    until("it asks", SOON, || simulator.received("slow") == 1);
    server.stop();
    until("its turn could not be kept", SOON, || {
        gateway.log().contains("may begin a round beside this one")
    });
    assert_eq!(simulator.received("slow"), 1);
    simulator.release();
    until("the round ends", SOON, || {
        gateway
            .log()
            .contains("do not learn what this one has found")
    });
    assert_eq!(simulator.received("slow"), 1);
    server.start_again();
}
