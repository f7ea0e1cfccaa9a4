//! The Responses API over a WebSocket (OpenAI's "WebSocket mode", which Codex speaks).
//!
//! A client sends `response.create` with the fields of a request and gets the events of its stream, each as a text of its own;
//! one response at a time. Each turn is a call like any other: authorised anew, admitted, journalled. The connection keeps the
//! last conversation of `store: false`, which `previous_response_id` goes on from, and ends after
//! `responses_websocket_session_limit_seconds` or when the gateway ends.

mod events;
mod turn;

use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::header::{CONNECTION, UPGRADE};
use actix_web::{HttpRequest, HttpResponse};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use bytes::Bytes;

use self::events::Events;
use self::turn::{Asked, Memory};
use crate::auth::Permission;
use crate::http::call_id::call_id;
use crate::http::error::ApiError;
use crate::http::refusal::refusal;
use crate::http::route::{Call, authorise, now_micros};
use crate::journey::{BodyShare, Incoming, Phase, Refused, Reply, Worker, infer};
use crate::types::Operation;

/// Requests that wait for the one before them.
const MOST_WAITING: usize = 8;
/// Between two pings; who answers none is gone.
const PING: Duration = Duration::from_secs(30);

/// Opens the connection.
pub async fn open(call: Call) -> Result<HttpResponse, ApiError> {
    let asks = |name, value: &str| {
        let header = call.request.headers().get(name);
        let text = header.and_then(|header| header.to_str().ok());
        text.is_some_and(|text| text.to_ascii_lowercase().contains(value))
    };
    if !asks(UPGRADE, "websocket") || !asks(CONNECTION, "upgrade") {
        let text =
            "this route is a WebSocket: ask for an upgrade, or POST a request for a response";
        let error = ApiError::new(426, "invalid_request_error", text, None);
        return Err(error.header("upgrade", "websocket"));
    }
    let routes = call.worker.routes();
    let settings = routes.settings();
    let most = settings.most_request_bytes;
    let opened = actix_ws::handle(&call.request, call.payload);
    let (response, session, messages) = opened.map_err(|error| {
        ApiError::bad_request(format!("this is no WebSocket handshake: {error}"), None)
    })?;
    let messages = messages
        .max_frame_size(most)
        .aggregate_continuations()
        .max_continuation_size(most);
    let socket = Socket {
        worker: call.worker,
        request: call.request,
        session,
        messages,
        waiting: VecDeque::new(),
        memory: Memory::new(most),
        heard: true,
    };
    let limit = Duration::from_secs(u64::from(settings.responses.socket_seconds));
    actix_rt::spawn(socket.run(limit));
    Ok(response)
}

struct Socket {
    worker: Rc<Worker>,
    /// The handshake: whose calls these are.
    request: HttpRequest,
    session: Session,
    messages: AggregatedMessageStream,
    /// Requests, oldest first, each with its share of the room for bodies.
    waiting: VecDeque<(Bytes, BodyShare)>,
    memory: Memory,
    /// Something came since the last ping.
    heard: bool,
}

/// Why a connection ends.
enum End {
    /// The client has gone, or is told so by the protocol.
    Gone,
    /// It has lasted long enough.
    Over,
    /// The gateway ends.
    Ending,
}

impl Socket {
    async fn run(mut self, limit: Duration) {
        let over = tokio::time::Instant::now() + limit;
        let ending = self.worker.shared.ending.reached(Phase::Draining);
        let mut ending = pin!(ending);
        let end = loop {
            if let Some((frame, _share)) = self.waiting.pop_front() {
                match self.serve(frame).await {
                    Ok(()) => {}
                    Err(Failed::End(end)) => break end,
                    Err(Failed::Told(error)) => {
                        self.memory.forget();
                        self.tell(*error).await;
                    }
                }
                continue;
            }
            let next = tokio::select! {
                heard = listen(&mut self.messages, &mut self.session, &mut self.heard) => heard,
                () = tokio::time::sleep_until(over) => break End::Over,
                () = &mut ending => break End::Ending,
            };
            match next {
                Ok(frame) => self.take(frame).await,
                Err(end) => break end,
            }
        };
        let reason = match end {
            End::Gone => None,
            End::Over => {
                let text = "Responses websocket connection limit reached. Create a new websocket connection to continue.";
                let error = ApiError::bad_request(text, None)
                    .code(Some("websocket_connection_limit_reached"));
                let _ = self.session.text(events::error(error)).await;
                Some((CloseCode::Policy, "the connection has lasted long enough"))
            }
            End::Ending => Some((CloseCode::Restart, "the gateway is shutting down")),
        };
        let reason = reason.map(|(code, text)| CloseReason {
            code,
            description: Some(text.to_owned()),
        });
        let _ = self.session.close(reason).await;
    }

    /// Puts a request behind those that wait.
    async fn take(&mut self, frame: Bytes) {
        let mut share = self.worker.shared.bodies.share();
        let refused = if self.waiting.len() >= MOST_WAITING {
            "this connection has as many requests waiting as it may: send them one after another"
        } else if share.grow(frame.len()).is_err() {
            "the gateway holds as many bytes of requests as it may (max_requests_in_memory_mb)"
        } else {
            self.waiting.push_back((frame, share));
            return;
        };
        self.tell(ApiError::unavailable(refused)).await;
    }

    async fn tell(&mut self, error: ApiError) {
        // Who does not hear it has gone, which the next message tells.
        let _ = self.session.text(events::error(error)).await;
    }

    async fn serve(&mut self, frame: Bytes) -> Result<(), Failed> {
        let arrived = Instant::now();
        let asked = Asked::read(&frame, &self.memory)?;
        let (worker, request) = (self.worker.clone(), self.request.clone());
        let caller = authorise(&worker, &request, Permission::Inference)
            .await
            .map_err(ApiError::from)?;
        let create = match asked {
            Asked::Nothing => return Ok(()),
            Asked::WarmUp(create) => {
                for event in self.memory.warm_up(&create, now_micros() / 1_000_000) {
                    self.say(event).await?;
                }
                return Ok(());
            }
            Asked::Create(create) => create,
        };
        let incoming = Incoming {
            operation: Operation::Responses,
            model: None,
            headers: request.headers(),
            body: create.body.clone(),
            arrived,
            started_at: now_micros(),
            call_id: call_id(request.headers()),
            client_ip: request.peer_addr().map(|peer| peer.ip().to_string().into()),
            share: Default::default(),
            is_copy: false,
        };
        let served = self.hearing(infer(&worker, &caller, &incoming)).await?;
        let budget_status = worker.routes().settings().budget_exceeded_status;
        let error = |refused| {
            let principal = caller.principal();
            refusal(refused, principal, Operation::Responses, budget_status)
        };
        let mut body = match served {
            Ok(Reply::Stream { body, .. }) => body,
            Ok(Reply::Whole { .. } | Reply::Several { .. }) => {
                return Err(ApiError::unavailable("the answer was no stream").into());
            }
            Err(refused) => return Err(error(refused).into()),
        };
        let mut events = Events::default();
        while let Some(read) = self.hearing(body.next()).await? {
            let bytes = match read {
                Ok(bytes) => bytes,
                Err(failure) => {
                    let refused = Refused {
                        failure,
                        call_id: "".into(),
                        key_spend: None,
                        timeout: None,
                    };
                    return Err(error(refused).into());
                }
            };
            for event in events.feed(&bytes) {
                self.say(event).await?;
            }
        }
        self.memory.keep(&create, events.ended());
        Ok(())
    }

    /// What `future` gives. What the client says meanwhile waits; when it has gone the call ends with it.
    async fn hearing<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Failed> {
        let mut future = pin!(future);
        loop {
            let heard = tokio::select! {
                biased;
                output = &mut future => return Ok(output),
                heard = listen(&mut self.messages, &mut self.session, &mut self.heard) => heard,
            };
            match heard {
                Ok(frame) => self.take(frame).await,
                Err(end) => return Err(Failed::End(end)),
            }
        }
    }

    async fn say(&mut self, event: String) -> Result<(), Failed> {
        let said = self.session.text(event).await;
        said.map_err(|_| Failed::End(End::Gone))
    }
}

/// Why a turn has not come to its end.
enum Failed {
    Told(Box<ApiError>),
    End(End),
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self::Told(Box::new(error))
    }
}

/// The next request. Answers pings, and sends its own. May be given up at any time.
async fn listen(
    messages: &mut AggregatedMessageStream,
    session: &mut Session,
    heard: &mut bool,
) -> Result<Bytes, End> {
    loop {
        let Ok(message) = tokio::time::timeout(PING, messages.recv()).await else {
            let is_there = std::mem::replace(heard, false);
            if !is_there || session.ping(b"").await.is_err() {
                return Err(End::Gone);
            }
            continue;
        };
        *heard = true;
        match message {
            Some(Ok(AggregatedMessage::Text(text))) => return Ok(text.into_bytes()),
            Some(Ok(AggregatedMessage::Ping(said))) => {
                if session.pong(&said).await.is_err() {
                    return Err(End::Gone);
                }
            }
            Some(Ok(AggregatedMessage::Pong(_))) => {}
            Some(Ok(AggregatedMessage::Binary(bytes))) => return Ok(bytes),
            Some(Ok(AggregatedMessage::Close(_)) | Err(_)) | None => return Err(End::Gone),
        }
    }
}
