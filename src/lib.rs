//! Pointsman, an LLM gateway. The rooms, each importing only those above it.

pub mod steps;

pub mod types;

pub mod vault;

pub mod catalog;
pub mod providers;

pub mod protocol;

pub mod policy;

pub mod config;

pub mod store;
pub mod upstream;

pub mod auth;
pub mod limits;
pub mod metrics;
pub mod router;
pub mod spend;

pub mod responses;

pub mod health;

pub mod models;

pub mod journey;

pub mod http;

pub mod cli;
pub mod console;
pub mod launch;
pub mod run;
