//! Pointsman, an LLM gateway. The rooms, each importing only those above it.

pub mod types;

pub mod catalog;
pub mod protocol;

pub mod policy;

pub mod config;

pub mod store;
