//! Wire formats, one folder each: types, decoding, encoding, streams.
//!
//! Pure: bytes in, facts or bytes out. Nothing here knows a socket, a clock, the configuration or a caller.
//! Where client and upstream speak the same format, a request is passed through by span edits: one scan finds the few
//! fields that change, all other bytes go out as they came.

pub mod json;
pub mod openai;
pub mod sse;
