#![no_main]

#[path = "../parsers.rs"]
#[allow(dead_code, reason = "a target is one of them")]
mod parsers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| parsers::crossing_answer(bytes));
