//! The targets of `tests/fuzz`, compiled here and called with what proptest makes up: bytes, and good inputs with something changed.

use std::collections::BTreeSet;

use proptest::prelude::*;

/// What libFuzzer makes a program of is a function here.
macro_rules! fuzz_target {
    (|$bytes:ident: &[u8]| $body:expr) => {
        pub(super) fn run($bytes: &[u8]) {
            $body;
        }
    };
}

#[path = "../fuzz/targets/credential.rs"]
mod credential;
#[path = "../fuzz/targets/facts.rs"]
mod facts;
#[path = "../fuzz/targets/resources.rs"]
mod resources;
#[path = "../fuzz/targets/return_to.rs"]
mod return_to;
#[path = "../fuzz/targets/shard.rs"]
mod shard;
#[path = "../fuzz/targets/target.rs"]
mod target;
#[path = "../fuzz/targets/token.rs"]
mod token;

/// Its name, what it reads with, and an input that it reads to its end.
type Target = (&'static str, fn(&[u8]), &'static str);

/// Each target.
const TARGETS: [Target; 7] = [
    (
        "credential",
        credential::run,
        "cookie:a=b; token=eyJhbGciOiJFZERTQSJ9.e30.c2ln\nauthorization:Bearer sk-0123456789abcdef0123456789abcdef\ncookie:token=x",
    ),
    (
        "facts",
        facts::run,
        "GET\n/a/%61?b\nx-forwarded-method:GET\nx-forwarded-proto:https\nx-forwarded-host:App.example.com:443\nx-forwarded-uri:/a/b?c=d\nhost:app.example.com\nx-original-method:GET\nx-original-url:https://app.example.com/a/b?c",
    ),
    ("resources", resources::run, tests::resources::POLICIES),
    (
        "return_to",
        return_to::run,
        "https://app.example.com:8443/a/%2Fb?c=//d#e",
    ),
    (
        "shard",
        shard::run,
        "{\"format\":1,\"digest\":\"sha256:00\",\"sequence\":1,\"shards\":[]}",
    ),
    (
        "target",
        target::run,
        "GET\nApp.example.com:8443\n/a/%7Eb/%C3%A9?c=d/../e",
    ),
    (
        "token",
        token::run,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJleHAiOjF9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
];

#[test]
fn every_target_is_called_here_and_listed_for_the_fuzzer() {
    let folder = tests::repository().join("tests/fuzz");
    let files: BTreeSet<String> = std::fs::read_dir(folder.join("targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let called: BTreeSet<String> = TARGETS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(files, called);
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for name in called {
        assert!(
            manifest.contains(&format!("path = \"targets/{name}.rs\"")),
            "{name} is no target of the fuzzer"
        );
    }
}

#[test]
fn what_somebody_would_send_is_read() {
    for (_, run, sample) in TARGETS {
        run(sample.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_break_what_must_hold(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, run, _) in TARGETS {
            run(&bytes);
        }
    }

    #[test]
    fn no_change_to_a_good_input_breaks_what_must_hold(
        at in any::<prop::sample::Index>(), cut in 0..6_usize, put in "[ -~\\n\\t\\x00%/.:;\\\\@é]{0,8}"
    ) {
        for (_, run, sample) in TARGETS {
            let mut bytes = sample.as_bytes().to_vec();
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, put.bytes());
            run(&bytes);
        }
    }
}
