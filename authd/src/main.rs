//! The `authd` program.

use std::process::ExitCode;

use authd::config::{Command, Verb};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Of all programs that could speak TLS for us, this one: once, before anybody does.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = match Command::parse().verb {
        Verb::Serve(serve) => authd::serve::run(*serve),
        Verb::Check(check) => authd::check::run(&check),
        Verb::Compile(compile) => authd::check::compile_to_file(&compile),
        Verb::Explain(explain) => authd::explain::run(&explain),
        Verb::Doctor(doctor) => authd::doctor::run(&doctor),
        Verb::Import(import) => authd::import::run(&import),
        Verb::Sessions(sessions) => authd::sessions::run(&sessions),
        Verb::SigningKeys(keys) => authd::signing_keys::run(&keys),
        Verb::Backup(backup) => authd::backup::run(&backup),
        Verb::Restore(restore) => authd::backup::restore(&restore),
        Verb::Migrate(migrate) => authd::migrate::run(&migrate),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("authd: {error:#}");
        ExitCode::FAILURE
    })
}
