//! Directories that people sign in with: OpenLDAP, Samba's Active Directory, and one that lies.
//!
//! They start empty but for what looking people up needs; stories add their own people, each below an entry of their own.

pub mod active_directory;
pub mod certificates;
pub mod liar;
pub mod open_ldap;

pub use active_directory::ActiveDirectory;
pub use certificates::{Authority, Certificate};
pub use liar::Liar;
pub use open_ldap::OpenLdap;

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs one of the LDAP tools with this input.
///
/// # Panics
/// It cannot be started, or fails.
fn tool(command: &mut Command, input: &str) -> String {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    stdin.write_all(input.as_bytes()).expect("the tool reads");
    drop(stdin);
    let ended = child.wait_with_output().expect("the tool ends");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{command:?}: {wrong}\n{said}\n{input}");
    said
}
