//! From a request and a behaviour to the script of its answer. Pure: the stamp and the behaviour are given.

use std::collections::BTreeMap;
use std::time::Duration;

use super::errors;
use super::head::Head;
use super::ids::Stamp;
use super::request::{Ask, Kind};
use super::script::{self, Cue, Script};
use super::{
    Behaviour, CutWith, Framing, Garbage, Hang, Level, anthropic, blocks, completions, embeddings,
    json, responses, sse,
};

const JSON: &str = "application/json";
const STREAM: &str = "text/event-stream; charset=utf-8";
const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

/// The script of an answer.
pub fn answer(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Script {
    let mut cues = Vec::new();
    if behaviour.hold {
        cues.push(Cue::Hold);
    }
    if behaviour.delay_ms > 0 {
        cues.push(Cue::Wait(Duration::from_millis(behaviour.delay_ms)));
    }
    if behaviour.hang == Some(Hang::BeforeHead) {
        cues.push(Cue::Silence);
        return Script::new(cues, false);
    }
    if behaviour.garbage == Some(Garbage::NotHttp) {
        cues.push(Cue::Send(
            b"\x15\x03\x03\x00\x02\x02\x28 this is no HTTP\r\n\r\n".to_vec(),
        ));
        cues.push(Cue::Close(CutWith::Fin));
        return Script::new(cues, false);
    }
    let as_chat = match ask.kind {
        Kind::Messages | Kind::Responses => None,
        _ => blocks::as_chat(behaviour),
    };
    let behaviour = as_chat.as_ref().unwrap_or(behaviour);
    let framing = framing(ask, behaviour);
    cues.extend(on_the_wire(
        ask,
        body(ask, behaviour, stamp),
        framing,
        behaviour,
        stamp,
    ));
    Script::new(cues, framing != Framing::Close)
}

/// The script of a refusal or another plain JSON body.
pub fn plain(status: u16, body: String, stamp: &Stamp, is_anthropics: bool) -> Script {
    let body = body.replace(errors::REQUEST_ID, &stamp.request);
    let head = Head {
        is_anthropics,
        status,
        content_type: JSON,
        framing: Framing::Length,
        length: body.len(),
        headers: &BTreeMap::new(),
    };
    Script::new(head.frame(stamp, vec![Cue::Send(body.into_bytes())]), true)
}

/// The script of a WebSocket that is opened, and says nothing until the peer leaves.
pub fn socket(key: &str) -> Script {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    Script::new(vec![Cue::Send(head.into_bytes()), Cue::Silence], false)
}

/// A body and what the head says about it.
struct Body {
    status: u16,
    content_type: &'static str,
    cues: Vec<Cue>,
}

/// Whether the answer will be a stream of events.
fn streams(ask: &Ask, behaviour: &Behaviour) -> bool {
    let replaced = behaviour.body.is_some() || behaviour.garbage == Some(Garbage::Html);
    ask.stream && !replaced && behaviour.status.unwrap_or(200) < 400
}

fn framing(ask: &Ask, behaviour: &Behaviour) -> Framing {
    match behaviour.framing {
        _ if behaviour.content_length.is_some() => Framing::Length,
        Some(framing) => framing,
        None if streams(ask, behaviour) => Framing::Chunked,
        None => Framing::Length,
    }
}

fn body(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Body {
    let status = behaviour.status.unwrap_or(200);
    let whole = |content_type, bytes| Body {
        status,
        content_type,
        cues: vec![Cue::Send(bytes)],
    };
    if let Some(body) = &behaviour.body {
        return match serde_json::from_str::<String>(body.get()) {
            Ok(text) => whole("text/plain; charset=utf-8", text.into_bytes()),
            Err(_) => whole(JSON, body.get().as_bytes().to_vec()),
        };
    }
    if status >= 400 {
        let refusal = match ask.kind {
            Kind::Messages => anthropic::for_status(status),
            _ => errors::for_status(status),
        };
        let body = refusal.body.replace(errors::REQUEST_ID, &stamp.request);
        return whole(JSON, body.into_bytes());
    }
    match behaviour.garbage {
        Some(Garbage::Html) => return whole("text/html", PAGE.into()),
        Some(Garbage::NotJson) if !ask.stream => {
            let mut broken = object(ask, behaviour, stamp);
            broken.truncate(broken.len() / 2);
            return whole(JSON, broken);
        }
        _ => {}
    }
    if ask.stream {
        Body {
            status,
            content_type: STREAM,
            cues: sse::cues(ask, behaviour, stamp),
        }
    } else {
        whole(JSON, object(ask, behaviour, stamp))
    }
}

/// A whole answer.
fn object(ask: &Ask, behaviour: &Behaviour, stamp: &Stamp) -> Vec<u8> {
    match ask.kind {
        Kind::Chat => json::completion(ask, behaviour, stamp),
        Kind::Completion => completions::completion(ask, behaviour, stamp),
        Kind::Embedding => embeddings::list(ask, behaviour),
        Kind::Messages => anthropic::message(ask, behaviour, stamp),
        Kind::Responses => responses::whole(ask, behaviour, stamp),
    }
}

/// Head, framing, and the faults that concern bytes.
fn on_the_wire(
    ask: &Ask,
    mut body: Body,
    framing: Framing,
    behaviour: &Behaviour,
    stamp: &Stamp,
) -> Vec<Cue> {
    let mut headers = behaviour.headers.clone();
    if behaviour.gzip {
        headers.insert("content-encoding".into(), "gzip".into());
        body.cues = script::compressed(body.cues);
    }
    let head = Head {
        is_anthropics: ask.kind == Kind::Messages,
        status: body.status,
        content_type: body.content_type,
        framing,
        length: behaviour
            .content_length
            .unwrap_or_else(|| script::length(&body.cues)),
        headers: &headers,
    };
    let mut cues = body.cues;
    if behaviour.hang == Some(Hang::AfterHead) {
        cues = vec![Cue::Silence];
    }
    cues = faults(cues, behaviour, Level::Body);
    cues = head.frame(stamp, cues);
    faults(cues, behaviour, Level::Wire)
}

fn faults(mut cues: Vec<Cue>, behaviour: &Behaviour, level: Level) -> Vec<Cue> {
    let split_level = if behaviour.split_wire {
        Level::Wire
    } else {
        Level::Body
    };
    if let Some(how) = behaviour.split.as_ref().filter(|_| level == split_level) {
        cues = script::split(cues, how, Duration::from_millis(behaviour.split_delay_ms));
    }
    if let Some(limit) = behaviour
        .cut_after_bytes
        .filter(|_| level == behaviour.cut_counts)
    {
        cues = script::cut(cues, limit, behaviour.cut_with);
    }
    cues
}
