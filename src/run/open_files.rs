//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, getrlimit, setrlimit};

/// A client's connection and the provider's it waits for; and what the process needs beside.
const A_CLIENT: u64 = 2;
const OTHERS: u64 = 256;

/// Asks for as many as `clients` connections need; says so when the system gives fewer.
pub fn raise_limit(clients: usize) {
    let wanted = (clients as u64)
        .saturating_mul(A_CLIENT)
        .saturating_add(OTHERS);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(wanted, |most| most.min(wanted)));
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::debug!("the limit of open files stays as it was: {error}");
    }
    let given = getrlimit(Resource::Nofile).current;
    if given.is_some_and(|given| given < wanted) {
        log::info!(
            "the system allows {} open files, enough for about {} clients at the same time; `ulimit -n {wanted}` \
             allows {clients}",
            given.unwrap_or_default(),
            given.unwrap_or_default().saturating_sub(OTHERS) / A_CLIENT
        );
    }
}
