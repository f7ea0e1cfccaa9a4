//! How long a request's body is needed behind its call, and so its share of the room for bodies.

use super::Charge;
use crate::journey::body_room::Share;

impl Charge {
    /// Its client wants to be answered before the response is made, which goes on being made whatever becomes of the call.
    pub fn is_background(&self) -> bool {
        let continuity = self.asked.continuity.as_ref();
        continuity.is_some_and(|continuity| continuity.is_background)
    }

    /// Keeps the room that the request's body has taken.
    pub fn keep_room(&mut self, share: Option<Share>) {
        self.room = share;
    }

    /// Nobody will read the request's body again, unless the answer is kept together with it.
    pub fn is_sent(&mut self) {
        if self.asked.continuity.is_none() {
            self.room = None;
        }
    }

    /// Nothing will be kept with the request's body.
    pub fn forget_the_body(&mut self) {
        self.asked.continuity = None;
        self.room = None;
    }
}
