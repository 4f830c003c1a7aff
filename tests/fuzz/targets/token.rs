//! Session tokens, whoever made them.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
#[macro_use]
extern crate libfuzzer_sys;

fuzz_target!(|bytes: &[u8]| authd::fuzz::fuzz_token(bytes));
