//! Requests with a priority wait, where nobody of their group takes calls, until it is their turn.

use super::Control;
use crate::policy::priority_queue::Place;
use crate::router::turn::{Begin, Denied, Queueing};

impl Control {
    /// Whether a request may ask for a deployment now, or others that wait come first.
    pub(super) fn is_in_turn(&mut self, begin: &Begin, now: u64) -> Result<(), Denied> {
        let Some(queueing) = begin.queue else {
            return Ok(());
        };
        let queue = self.queues.entry(begin.group).or_default();
        match queueing {
            Queueing::Join { .. } if queue.is_empty(now) => Ok(()),
            Queueing::Join { priority } => match queue.join(priority, now) {
                Some(place) => Err(Denied::Queued(place)),
                None => Ok(()),
            },
            Queueing::Wait(place) if queue.is_next(place, now) => Ok(()),
            Queueing::Wait(place) => Err(Denied::Queued(place)),
        }
    }

    /// No deployment takes the call: a request with a priority waits, if its group may take it later.
    pub(super) fn queued(&mut self, begin: &Begin, denied: Denied, now: u64) -> Denied {
        let Some(queueing) = begin.queue.filter(|_| denied.may_pass()) else {
            self.leave_queue(begin);
            return denied;
        };
        let queue = self.queues.entry(begin.group).or_default();
        let place: Option<Place> = match queueing {
            Queueing::Join { priority } => queue.join(priority, now),
            Queueing::Wait(place) => Some(place),
        };
        place.map_or(denied, Denied::Queued)
    }

    /// It waits no more.
    pub(super) fn leave_queue(&mut self, begin: &Begin) {
        if let (Some(Queueing::Wait(place)), Some(queue)) =
            (begin.queue, self.queues.get_mut(&begin.group))
        {
            queue.leave(place);
        }
    }
}
