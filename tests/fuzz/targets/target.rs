//! What is to be reached, as a client wrote it.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
#[macro_use]
extern crate libfuzzer_sys;

fuzz_target!(|bytes: &[u8]| authd::fuzz::fuzz_target(bytes));
