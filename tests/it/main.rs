//! The behaviour of the gateway, over HTTP: the real binary, a real SQLite file, simulated providers.
//!
//! One module a promise. Each test starts a gateway of its own, so that they run side by side and none sees another's state.

mod fronts;
mod harness;
#[path = "../simulator/mod.rs"]
mod simulator;

mod architecture;
mod asks;
mod azure_login;
mod bad_input;
mod balancing;
mod basics;
mod bodies;
mod broken_upstreams;
mod budgets;
mod check;
mod client_access;
mod completions;
mod cooldown;
mod cors;
mod cost;
mod credentials;
mod database_away;
mod detours;
mod disconnects;
mod durability;
mod embeddings;
mod estimates;
mod first_run;
mod headers;
mod health;
mod key_budgets;
mod key_generate;
mod key_life;
mod key_lists;
mod key_refusals;
mod ledger;
mod limits;
mod mocks;
mod model_access;
mod model_info;
mod mutations;
mod network;
mod obeyed;
mod openai_client;
mod openapi;
mod parameters;
mod pass_through;
mod paths;
mod permissions;
mod prices;
mod proofs;
mod providers;
mod readme;
mod reload;
mod retries;
mod root_path;
mod secrecy;
mod shutdown;
mod spend_logs;
mod start;
mod streams;
mod unspeakable;
mod upstream_errors;
