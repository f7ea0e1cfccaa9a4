//! One connection over std's TCP: what is written is what is sent, and how an answer ended is seen.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::reply::{Ended, Reply};

/// No answer of a working gateway takes this long in these tests.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A JSON body, as it stands.
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST", path).header("content-type", "application/json");
        request.body = body.into();
        request
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub fn head(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: gateway\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = self
            .headers
            .iter()
            .any(|(name, _)| ["content-length", "transfer-encoding"].contains(&name.as_str()));
        if !framed && (self.method != "GET" || !self.body.is_empty()) {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Kept alive between requests, as clients do it.
pub struct Connection {
    pub stream: TcpStream,
    inbox: Vec<u8>,
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// An answer under way.
pub struct Incoming {
    pub reply: Reply,
    framing: Framing,
}

// === impl Connection ===

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            inbox: Vec::new(),
        })
    }

    pub fn send(&mut self, request: &Request) -> io::Result<()> {
        self.stream.write_all(&request.bytes())
    }

    /// Sends a request and reads its whole answer. An error means that not even a head came.
    pub fn ask(&mut self, request: &Request) -> io::Result<Reply> {
        // A refusal may arrive, and the connection close, before all of a large body was taken.
        if let Err(error) = self.send(request) {
            return self.reply().map_err(|_| error);
        }
        self.reply()
    }

    /// Reads one whole answer, or what there is of it.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut incoming = self.incoming()?;
        while incoming.reply.ended == Ended::Open {
            self.more(&mut incoming)?;
        }
        Ok(incoming.reply)
    }

    /// Reads the head of the next answer, and the part of the body that came with it.
    pub fn incoming(&mut self) -> io::Result<Incoming> {
        loop {
            if let Some(mut incoming) = self.head()? {
                self.decode(&mut incoming);
                return Ok(incoming);
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads on until something more has come.
    pub fn more(&mut self, incoming: &mut Incoming) -> io::Result<()> {
        let read = match self.fill() {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        self.decode(incoming);
        if read == 0 && incoming.reply.ended == Ended::Open {
            incoming.reply.ended = match incoming.framing {
                Framing::UntilClose => Ended::Whole,
                _ => Ended::Cut,
            };
        }
        Ok(())
    }

    /// Reads on until the body holds `text`.
    ///
    /// # Panics
    /// When the answer ends before.
    #[track_caller]
    pub fn read_until(&mut self, incoming: &mut Incoming, text: &str) {
        while memchr::memmem::find(&incoming.reply.body, text.as_bytes()).is_none() {
            let so_far = String::from_utf8_lossy(&incoming.reply.body).into_owned();
            assert_eq!(
                incoming.reply.ended,
                Ended::Open,
                "{text:?} not in {so_far}"
            );
            self.more(incoming)
                .unwrap_or_else(|error| panic!("{error} after {so_far}"));
        }
    }

    /// Leaves, with an orderly end of both directions.
    pub fn leave(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 << 10];
        let read = self.stream.read(&mut buffer)?;
        self.inbox.extend_from_slice(&buffer[..read]);
        Ok(read)
    }

    fn head(&mut self) -> io::Result<Option<Incoming>> {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Response::new(&mut fields);
        let length = match parsed.parse(&self.inbox) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => {
                let text = String::from_utf8_lossy(&self.inbox);
                panic!("the gateway sent no HTTP: {error}: {text}")
            }
        };
        let status = parsed.code.unwrap_or_default();
        let headers: Vec<(String, String)> = parsed
            .headers
            .iter()
            .map(|field| {
                let value = String::from_utf8_lossy(field.value).into_owned();
                (field.name.to_ascii_lowercase(), value)
            })
            .collect();
        self.inbox.drain(..length);
        if status == 100 {
            return self.head();
        }
        let reply = Reply {
            status,
            headers,
            body: Vec::new(),
            chunks: Vec::new(),
            ended: Ended::Open,
        };
        let framing = match (
            reply.header("content-length"),
            reply.header("transfer-encoding"),
        ) {
            (Some(length), None) => Framing::Length(length.parse().expect("a length")),
            (None, Some("chunked")) => Framing::Chunked,
            (None, None) if status == 204 || status == 304 => Framing::Length(0),
            (None, None) => Framing::UntilClose,
            odd => panic!("framing nobody can read: {odd:?}"),
        };
        Ok(Some(Incoming { reply, framing }))
    }

    /// Moves what has come from the inbox to the body.
    fn decode(&mut self, incoming: &mut Incoming) {
        let reply = &mut incoming.reply;
        match &mut incoming.framing {
            Framing::Length(length) => {
                let take = (*length - reply.body.len()).min(self.inbox.len());
                reply.body.extend(self.inbox.drain(..take));
                if reply.body.len() == *length {
                    reply.ended = Ended::Whole;
                }
            }
            Framing::UntilClose => reply.body.append(&mut self.inbox),
            Framing::Chunked => {
                while let Ok(httparse::Status::Complete((start, size))) =
                    httparse::parse_chunk_size(&self.inbox)
                {
                    let size = usize::try_from(size).expect("a chunk's size");
                    let Some(end) = self.inbox.get(start + size..start + size + 2) else {
                        break;
                    };
                    assert_eq!(end, b"\r\n", "a chunk ends with CR LF");
                    reply
                        .body
                        .extend_from_slice(&self.inbox[start..start + size]);
                    self.inbox.drain(..start + size + 2);
                    if size == 0 {
                        reply.ended = Ended::Whole;
                        break;
                    }
                    reply.chunks.push(size);
                }
            }
        }
    }
}
