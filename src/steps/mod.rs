//! A step of an actor or a handler: a panic in it costs its own request and nothing else.
//!
//! Every room may wrap what it does for one request or message in [`contained`]. In test builds with the feature `faults` each
//! step is also a place where a test can have it panic on purpose (see [`faults`]); in release builds there is nothing of
//! that. Nothing here knows what a step does, or decides what follows from its failure.

#[cfg(all(feature = "faults", debug_assertions))]
mod faults;

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// What `step` gives; `None` when it panicked, which is logged.
pub fn contained<T>(name: &'static str, step: impl FnOnce() -> T) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        point(name);
        step()
    }));
    outcome.inspect_err(|_| told(name)).ok()
}

/// The same for a step that must not be lost, because it gives back what is reserved or nobody would ask for it again: a second
/// try, which no test disturbs, when the first panicked.
pub fn insisted<T>(name: &'static str, mut step: impl FnMut() -> T) -> Option<T> {
    contained(name, &mut step).or_else(|| undisturbed(|| contained(name, &mut step)))
}

fn undisturbed<T>(step: impl FnOnce() -> T) -> T {
    #[cfg(all(feature = "faults", debug_assertions))]
    return faults::suspended(step);
    #[cfg(not(all(feature = "faults", debug_assertions)))]
    step()
}

/// The same for a step that waits. Pinned by the caller: taken by value, a future has room for itself twice.
pub async fn contained_future<T>(
    name: &'static str,
    mut step: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| step.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => {
                told(name);
                Poll::Ready(None)
            }
        },
    )
    .await
}

fn told(name: &str) {
    log::error!("{name}: a step panicked; nothing but its own request is affected");
}

/// Here a test may have a panic. `name` is `room.step`.
#[inline(always)]
pub fn point(name: &'static str) {
    #[cfg(all(feature = "faults", debug_assertions))]
    faults::visit(name);
    #[cfg(not(all(feature = "faults", debug_assertions)))]
    let _ = name;
}

/// Whether a test wants something else than a panic here.
#[inline(always)]
pub fn strikes(name: &'static str) -> bool {
    #[cfg(all(feature = "faults", debug_assertions))]
    return faults::strikes(name);
    #[cfg(not(all(feature = "faults", debug_assertions)))]
    {
        let _ = name;
        false
    }
}

/// Has the environment say which steps panic, and SIGUSR2 when. Nothing in release builds.
pub fn listen() {
    #[cfg(all(feature = "faults", debug_assertions))]
    faults::listen();
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[actix_web::test]
    async fn a_panic_is_contained() {
        assert_eq!(contained("t", || 7), Some(7));
        let panics = || std::panic::resume_unwind(Box::new(()));
        assert_eq!(contained("t", || -> u8 { panics() }), None);
        assert_eq!(contained_future("t", pin!(async { 7 })).await, Some(7));
        let later = async {
            actix_web::rt::task::yield_now().await;
            panics()
        };
        assert_eq!(contained_future::<u8>("t", pin!(later)).await, None);
    }
}
