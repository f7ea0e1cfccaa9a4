//! One stream of HTTP/2 as a request of HTTP/1.1, and its answer back, piece by piece.

use std::fmt::Write;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::RecvStream;
use h2::SendStream;
use h2::server::SendResponse;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks `behind` and answers. When the peer leaves, so does this.
pub async fn hand_on(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    behind: SocketAddr,
) {
    let (parts, mut body) = request.into_parts();
    let mut whole = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        let _ = body.flow_control().release_capacity(piece.len());
        whole.extend_from_slice(&piece);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut head = format!(
        "{} {path} HTTP/1.1\r\nhost: behind\r\nconnection: close\r\n",
        parts.method
    );
    for (name, value) in &parts.headers {
        let _ = write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    head.push_str("\r\n");
    let asking = async {
        let mut stream = TcpStream::connect(behind).await?;
        stream.set_nodelay(true)?;
        stream
            .write_all(&[head.as_bytes(), &whole].concat())
            .await?;
        answer(&mut stream, &mut respond).await
    };
    // An error is a cut, and looks like one on the other side too.
    if asking.await.is_err() {
        respond.send_reset(h2::Reason::INTERNAL_ERROR);
    }
}

async fn answer(stream: &mut TcpStream, respond: &mut SendResponse<Bytes>) -> io::Result<()> {
    let mut inbox = Vec::new();
    let (response, is_chunked, mut length) = loop {
        let read = tokio::select! {
            read = stream.read_buf(&mut inbox) => read?,
            _ = poll_fn(|context| respond.poll_reset(context)) => return Ok(()),
        };
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Response::new(&mut fields);
        match parsed.parse(&inbox) {
            Ok(httparse::Status::Complete(end)) => {
                let mut response = Response::builder().status(parsed.code.unwrap_or(500));
                let (mut is_chunked, mut length) = (false, None);
                for field in parsed.headers.iter() {
                    match field.name.to_ascii_lowercase().as_str() {
                        "transfer-encoding" => is_chunked = true,
                        "connection" => {}
                        name => {
                            if name == "content-length" {
                                length = std::str::from_utf8(field.value)
                                    .ok()
                                    .and_then(|text| text.parse::<usize>().ok());
                            }
                            response = response.header(name, field.value);
                        }
                    }
                }
                inbox.drain(..end);
                break (response, is_chunked, length);
            }
            Ok(httparse::Status::Partial) if read > 0 => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    };
    let response = response.body(()).map_err(io::Error::other)?;
    let mut sent = respond
        .send_response(response, false)
        .map_err(io::Error::other)?;
    loop {
        if is_chunked {
            while let Ok(httparse::Status::Complete((start, size))) =
                httparse::parse_chunk_size(&inbox)
            {
                let size = size as usize;
                if inbox.len() < start + size + 2 {
                    break;
                }
                let piece = inbox[start..start + size].to_vec();
                inbox.drain(..start + size + 2);
                if size == 0 {
                    return give(&mut sent, Vec::new(), true).await;
                }
                give(&mut sent, piece, false).await?;
            }
        } else if !inbox.is_empty() {
            let piece = std::mem::take(&mut inbox);
            length = length.map(|length| length.saturating_sub(piece.len()));
            give(&mut sent, piece, false).await?;
        }
        if length == Some(0) {
            return give(&mut sent, Vec::new(), true).await;
        }
        let read = tokio::select! {
            read = stream.read_buf(&mut inbox) => read?,
            _ = poll_fn(|context| sent.poll_reset(context)) => return Ok(()),
        };
        if read == 0 {
            // Only an answer that nothing else ends is whole now.
            if !is_chunked && length.is_none() {
                return give(&mut sent, Vec::new(), true).await;
            }
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn give(sent: &mut SendStream<Bytes>, piece: Vec<u8>, is_end: bool) -> io::Result<()> {
    let mut piece = Bytes::from(piece);
    while !piece.is_empty() {
        sent.reserve_capacity(piece.len());
        let room = match sent.capacity() {
            0 => match poll_fn(|context| sent.poll_capacity(context)).await {
                Some(Ok(room)) => room,
                _ => return Err(io::ErrorKind::BrokenPipe.into()),
            },
            room => room,
        };
        let now = piece.split_to(room.min(piece.len()));
        sent.send_data(now, false).map_err(io::Error::other)?;
    }
    if is_end {
        sent.send_data(Bytes::new(), true)
            .map_err(io::Error::other)?;
    }
    Ok(())
}
