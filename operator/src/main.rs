//! The `authd-operator` program.

use std::process::ExitCode;

use clap::Parser;
use operator::config::{Command, Verb};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Command::parse().verb {
        Verb::Run(settings) => operator::run(settings),
        Verb::Crds => {
            print!("{}", operator::definitions());
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("authd-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
