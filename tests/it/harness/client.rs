//! A caller with a credential.

use std::net::SocketAddr;

use serde_json::Value;

use super::connection::{Connection, Incoming, Request};
use super::reply::Reply;

#[derive(Clone, Debug)]
pub struct Client {
    pub address: SocketAddr,
    pub key: Option<String>,
}

impl Client {
    pub fn connect(&self) -> Connection {
        Connection::open(self.address).expect("a connection to the gateway")
    }

    /// The request with this caller's key.
    pub fn signed(&self, request: Request) -> Request {
        match &self.key {
            Some(key) => request.key(key),
            None => request,
        }
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn ask(&self, request: Request) -> Reply {
        let request = self.signed(request);
        match self.connect().ask(&request) {
            Ok(reply) => reply,
            Err(error) => panic!("{} {}: {error}", request.method, request.path),
        }
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.ask(Request::get(path))
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask(Request::post(path, body.to_string()))
    }

    #[track_caller]
    pub fn chat(&self, body: &Value) -> Reply {
        self.post("/v1/chat/completions", body)
    }

    /// Begins a chat and returns when the head of its answer is here.
    #[track_caller]
    pub fn begin(&self, body: &Value) -> (Connection, Incoming) {
        let mut connection = self.send(body);
        let incoming = connection.incoming().expect("the head of an answer");
        (connection, incoming)
    }

    /// Sends a chat and reads nothing.
    #[track_caller]
    pub fn send(&self, body: &Value) -> Connection {
        let request = Request::post("/v1/chat/completions", body.to_string());
        let mut connection = self.connect();
        connection
            .send(&self.signed(request))
            .expect("a request sent");
        connection
    }
}
