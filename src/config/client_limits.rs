//! How far clients are trusted with connections, time and memory: fields of `general_settings` that are Pointsman's own.

use std::time::Duration;

use super::read::Section;

/// Bytes of a MiB.
const MIB: f64 = 1024.0 * 1024.0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Connections of all workers together, from 1.
    pub most_connections: usize,
    /// Bytes of request bodies of one worker process that are in memory at the same time.
    pub most_body_bytes: usize,
    /// From the first byte of a request's head to its last.
    pub head_timeout: Duration,
    /// The longest silence within a request's body.
    pub body_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub write_timeout: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            most_connections: 25_000,
            most_body_bytes: 1024 * 1024 * 1024,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
        }
    }
}

impl ClientLimits {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let usual = Self::default();
        let time = |key, usual| section.timeout(key).unwrap_or(usual);
        let connections = section.small("max_client_connections", 1_000_000);
        Self {
            most_connections: connections
                .map_or(usual.most_connections, |most| most.max(1) as usize),
            most_body_bytes: section
                .amount("max_requests_in_memory_mb")
                .map_or(usual.most_body_bytes, |size| (size * MIB).max(MIB) as usize),
            head_timeout: time("client_head_timeout", usual.head_timeout),
            body_timeout: time("client_body_timeout", usual.body_timeout),
            write_timeout: time("client_write_timeout", usual.write_timeout),
        }
    }
}
