//! `kill -9` and SIGTERM under load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::gateway;
use super::load::{CALLERS, Seen, StopAtEnd, keys};
use crate::harness::{Gateway, Key, SOON, until};
use crate::simulator::Simulator;
use pointsman::types::CallStatus;

/// Deaths of one test; five of them make fifty.
const DEATHS: u32 = 10;

/// Load until some moment, and `end` at that moment.
fn load_until(
    gateway: &mut Gateway,
    keys: &[Key],
    after: Duration,
    seen: &Seen,
    end: impl FnOnce(&mut Gateway, &AtomicBool),
) {
    let stop = AtomicBool::new(false);
    let before = seen.complete();
    let callers: Vec<_> = keys.iter().map(|key| gateway.client(&key.secret)).collect();
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&stop);
        for lane in 0..CALLERS {
            let (stop, caller) = (&stop, &callers[lane % callers.len()]);
            scope.spawn(move || seen.call_until(stop, caller, lane));
        }
        until("the load runs", SOON, || seen.complete() > before);
        let due = Instant::now() + after;
        until("the moment of the end", SOON, || Instant::now() >= due);
        end(gateway, &stop);
    });
}

/// Ten deaths at random moments; what callers saw is in the books after each.
fn die_ten_times(seed: u64) {
    let simulator = Simulator::start();
    simulator.record(false);
    let mut gateway = gateway(&simulator);
    let keys = keys(&gateway);
    let seen = Seen::default();
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..DEATHS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let after = Duration::from_millis((random >> 33) % 100);
        load_until(&mut gateway, &keys, after, &seen, |gateway, _| {
            gateway.kill()
        });
        gateway.start_again();
        // Ready means recovered: the first look finds everything.
        seen.check(&gateway);
    }
    assert!(
        seen.complete() > 3 * DEATHS as usize,
        "hardly any load: {}",
        seen.complete()
    );
}

#[test]
fn killed_under_load_1() {
    die_ten_times(1);
}

#[test]
fn killed_under_load_2() {
    die_ten_times(2);
}

#[test]
fn killed_under_load_3() {
    die_ten_times(3);
}

#[test]
fn killed_under_load_4() {
    die_ten_times(4);
}

#[test]
fn killed_under_load_5() {
    die_ten_times(5);
}

/// SIGTERM lets calls end: no answer breaks off, none is missing in the books, and no journal is left.
#[test]
fn told_to_stop_under_load() {
    let simulator = Simulator::start();
    simulator.record(false);
    let mut gateway = gateway(&simulator);
    let keys = keys(&gateway);
    let seen = Seen::default();
    for _ in 0..3 {
        load_until(
            &mut gateway,
            &keys,
            Duration::from_millis(50),
            &seen,
            |gateway, stop| {
                gateway.ask_to_stop();
                // Callers end what they have begun.
                stop.store(true, Ordering::Relaxed);
                assert!(gateway.ended(SOON).success(), "{}", gateway.log());
            },
        );
        assert_eq!(seen.cut(), 0, "answers that broke off");
        seen.check(&gateway);
        assert_eq!(gateway.verified()["journals"].as_array().unwrap().len(), 0);
        let interrupted = gateway
            .booked()
            .iter()
            .filter(|row| row.status == CallStatus::Interrupted)
            .count();
        assert_eq!(interrupted, 0);
        gateway.start_again();
    }
}
