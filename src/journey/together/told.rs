//! The headers of several answers together.

use actix_web::http::header::{HeaderMap, HeaderName};

use super::super::charge::Bill;
use super::super::cost_headers::tell_sum;
use super::super::headers::{Early, Millis, Writer};
use super::super::reply::Incoming;
use crate::types::NanoUsd;

/// Whose they are, how long it took, and what they cost, where all have a price.
pub fn headers(incoming: &Incoming<'_>, bills: impl Iterator<Item = Bill>) -> HeaderMap {
    let costs = bills.map(|bill| bill.cost.map(|cost| cost.total.0));
    let total = costs.reduce(|sum, cost| Some(sum?.saturating_add(cost?)));
    let mut headers = Early::of(incoming).headers();
    let mut tell = Writer::new(&mut headers);
    if let Some(total) = total.flatten() {
        tell_sum(&mut tell, NanoUsd(total));
    }
    tell.set(
        const { HeaderName::from_static("x-litellm-response-duration-ms") },
        Millis(incoming.arrived.elapsed()),
    );
    headers
}
