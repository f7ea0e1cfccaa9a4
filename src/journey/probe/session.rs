//! A realtime session that is opened and closed at once: its provider knows key and model, and bills nothing.

use std::time::Instant;

use actix_web::http::header::HeaderMap;

use super::{Answer, Outcome, login};
use crate::journey::attempt::{Failed, call_failure};
use crate::journey::routes::Prepared;
use crate::policy::upstream_error::{Headers as UpstreamHeaders, Upstream};
use crate::upstream::{Client, HandshakeError};

pub async fn ask(client: &Client, prepared: &Prepared) -> Outcome {
    let began = Instant::now();
    let deployment = &*prepared.deployment;
    let check = &deployment.health_check;
    let Some(url) = check.url.as_deref() else {
        let why = "its provider's protocol has nothing for its mode";
        return Err(Failed::unusable(deployment, why));
    };
    let more = login(prepared).await?;
    let (headers, tls) = (&deployment.headers, deployment.tls.as_ref());
    let opened = client.handshake(url, headers, tls, more, check.timeout);
    let error = match opened.await {
        Ok(headers) => {
            return Ok(Answer {
                headers,
                made: None,
            });
        }
        Err(error) => error,
    };
    let upstream = match &error {
        HandshakeError::Endpoint(error) => {
            return Err(Failed::unusable(deployment, &error.to_string()));
        }
        HandshakeError::Call(error) => call_failure(error, began),
        HandshakeError::Refused(status) => Upstream::Status {
            status: *status,
            headers: UpstreamHeaders::default(),
            body: b"",
        },
        HandshakeError::NoSocket => Upstream::Malformed,
    };
    Err(Failed::of(deployment, &upstream, HeaderMap::new()))
}
