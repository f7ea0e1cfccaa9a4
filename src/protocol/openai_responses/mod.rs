//! OpenAI's Responses. Source: OpenAI's API reference.
//!
//! [`REQUEST`] names the fields that only `POST /v1/responses` has, for requests that pass.

mod request;

pub use request::REQUEST;
