//! The reference pages of the program, written from the code: metrics, audit lines, command line, HTTP API. `UPDATE=1` rewrites
//! them.

use std::fmt::Write as _;
use std::path::Path;

use clap::CommandFactory as _;

use crate::config::Command;
use crate::openapi;
use crate::telemetry::{METRICS, MetricKind};

/// Compares a page below `docs/reference/` with what the code says now.
#[track_caller]
fn check(page: &str, generated: &str) {
    let path = repository().join("docs/reference").join(page);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == generated,
        "docs/reference/{page} is out of date: run the test with UPDATE=1"
    );
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn the_page_of_metrics_is_what_the_list_says() {
    let mut page = "# Metrics\n\nGenerated from `authd/src/telemetry.rs`. `GET /metrics` on the admin listener answers them in the \
                    Prometheus text format. Labels come from fixed lists, never from what a caller sent.\n\n\
                    | metric | type | labels | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for metric in METRICS {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, labels) = (metric.name, labels.join(", "));
        writeln!(page, "| `{name}` | {kind} | {labels} | {} |", metric.description).unwrap();
    }
    check("metrics.md", &page);
}

#[test]
fn the_page_of_the_command_line_is_what_help_prints() {
    let mut page = "# Command line\n\nGenerated from `authd/src/config.rs`: what `--help` prints. Exit codes: 0 for success and yes, 1 \
                    for a problem, 2 for a command line that cannot be read, 3 for a refusal (`authd explain`).\n"
        .to_owned();
    let mut command = Command::command().term_width(100);
    command.build();
    sections(&mut page, &mut command);
    check("command-line.md", &page);
}

fn sections(page: &mut String, command: &mut clap::Command) {
    section(page, command);
    for verb in command.get_subcommands_mut().filter(|verb| verb.get_name() != "help") {
        sections(page, verb);
    }
}

fn section(page: &mut String, command: &mut clap::Command) {
    let help = command.render_long_help().to_string();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(page, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()).unwrap();
}

#[test]
fn the_page_of_the_api_is_what_is_served() {
    let document = serde_json::to_string_pretty(&openapi::build()).unwrap();
    check("openapi.json", &format!("{document}\n"));
}

/// What an audit line may say, and where the code lists it: title, column, file, and the line on which the list begins.
const AUDIT: [(&str, &str, &str, &str); 18] = [
    ("Fields", "field", "authd/src/audit.rs", "pub struct Event {"),
    ("Events", "`event`", "authd/src/audit.rs", "pub enum Kind {"),
    (
        "Reasons of a request that policies refuse",
        "`reason`",
        "policy/src/engine/decide.rs",
        "pub enum Denial {",
    ),
    (
        "Reasons of a credential that is not accepted",
        "`reason`",
        "authd/src/identity.rs",
        "pub enum Error {",
    ),
    (
        "Reasons of a call of the API that is not for this caller",
        "`reason`",
        "authd/src/api/refusal.rs",
        "pub enum Refusal {",
    ),
    (
        "Reasons of a session token that is not accepted",
        "`reason`",
        "authd/src/token.rs",
        "pub enum Error {",
    ),
    (
        "Reasons of a token of an issuer outside that is not accepted",
        "`reason`",
        "authd/src/identity/issued.rs",
        "pub enum Error {",
    ),
    (
        "Reasons of a token of an issuer outside, also one to be exchanged, that says something else than it should",
        "`reason`",
        "authd/src/issuer/shown.rs",
        "pub enum Error {",
    ),
    (
        "Reasons of a sign-in that fails",
        "`reason`",
        "authd/src/login/password.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why somebody for whom a provider outside vouches is not let in",
        "`reason`",
        "authd/src/login/arrival.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why a provider outside does not vouch for somebody",
        "`reason`",
        "authd/src/login/oidc.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why what such a provider says of itself is not used",
        "`reason`",
        "authd/src/issuer/discovery.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why the keys of such a provider are not used",
        "`reason`",
        "authd/src/issuer/keys.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why a server of such a provider is not reached",
        "`reason`",
        "authd/src/outbound.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why such a provider gives no tokens",
        "`reason`",
        "authd/src/login/oidc/exchange.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why the ID token of such a provider is not believed",
        "`reason`",
        "authd/src/login/oidc/id_token.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why what such a provider says at its userinfo endpoint is not used",
        "`reason`",
        "authd/src/login/oidc/userinfo.rs",
        "pub enum Error {",
    ),
    (
        "Reasons why a directory does not vouch for somebody",
        "`reason`",
        "authd/src/login/directory/failure.rs",
        "pub enum Failure {",
    ),
];

#[test]
fn the_page_of_audit_lines_is_what_the_code_says() {
    let mut page =
        "# Audit lines\n\nGenerated from the code. One JSON object a line, to standard error or to the file that \
                    `--audit` names. No line holds a password, a token, a key, a body or a query.\n"
            .to_owned();
    for (title, column, file, begin) in AUDIT {
        write!(page, "\n## {title}\n\n| {column} | meaning |\n|---|---|\n").unwrap();
        for (name, meaning) in members(file, begin) {
            writeln!(page, "| `{name}` | {meaning} |").unwrap();
        }
    }
    check("audit.md", &page);
}

/// The members of a struct or enum, by the name that is written out, with their doc comments.
fn members(file: &str, begin: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    let (body, rest) = text.split_once(begin).unwrap().1.split_once("\n}").unwrap();
    let (mut found, mut meaning, mut renamed) = (Vec::new(), Vec::new(), None);
    for line in body.lines() {
        if let Some((_, rest)) = line.split_once("rename = \"") {
            renamed = rest.split('"').next();
        }
        let Some(line) = line
            .strip_prefix("    ")
            .filter(|line| !line.starts_with([' ', '#', ')']))
        else {
            continue;
        };
        if let Some(doc) = line.strip_prefix("///") {
            meaning.push(doc.trim());
            continue;
        }
        let name = first_word(line.trim_start_matches("pub "));
        if !name.is_empty() {
            let said = meaning.join(" ").replace("[`", "`").replace("`]", "`");
            found.push((renamed.take().unwrap_or(name).to_owned(), said));
            meaning.clear();
        }
    }
    assert!(!found.is_empty(), "{file} has no `{begin}`");
    match rest.split_once("fn reason(") {
        Some((_, reasons)) => by_reason(&found, reasons.split_once("\n    }").unwrap().0),
        None => found,
    }
}

/// The same by the words that the function `reason` says for each; one that has another say it stands elsewhere on the page.
fn by_reason(variants: &[(String, String)], reasons: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for arm in reasons.split(",\n") {
        let Some((patterns, reason)) = arm.split_once("=> \"") else {
            continue;
        };
        let reason = reason.trim_end().trim_end_matches('"');
        for variant in patterns.split("Self::").skip(1).map(first_word) {
            let (_, meaning) = variants.iter().find(|(name, _)| name == variant).unwrap();
            match found.iter_mut().find(|(known, _)| known == reason) {
                Some((_, known)) => known.extend([" ", meaning]),
                None => found.push((reason.to_owned(), meaning.clone())),
            }
        }
    }
    found
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .unwrap_or_default()
}
