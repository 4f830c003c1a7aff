//! Who may do what: tables of principals and targets.

#![expect(clippy::too_many_lines, reason = "a table is as long as its rows")]

mod ages;
mod explanations;
mod hand_written;
mod keys;
mod naive;
mod properties;
mod remembered;
mod roles;
mod rules;
mod sign_in;

use crds::Endpoint;

use super::{AccountRole, Admission, Claims, Decision, Denial, Engine, Outcome};
use crate::principal::{KeyUse, User};
use crate::story::{account, context, engine, names, person, read_target, resources, target, who, word};
use crate::target::Scheme;
use crate::{Principal, compile};

/// Asks, and compares the answer: `permit` or the name of a denial, and the determining rules without their `spec.`.
#[track_caller]
fn check(engine: &Engine, row: &str, (principal, to): (&str, &str), (answer, rules): (&str, &[&str])) {
    check_principal(engine, row, (&who(principal), to), (answer, rules));
}

#[track_caller]
fn check_principal(
    engine: &Engine,
    row: &str,
    (principal, to): (&Principal, &str),
    (answer, rules): (&str, &[&str]),
) -> Decision {
    let decision = engine.decide(principal, &target(to), &context(Some("198.51.100.7")));
    let who = principal.identity();
    assert_eq!(word(&decision), answer, "{row}: {who:?} {to}: {decision:?}");
    let decided: Vec<&str> = decision
        .determining
        .iter()
        .map(|one| one.rule.trim_start_matches("spec."))
        .collect();
    assert_eq!(decided, rules, "{row}: {who:?} {to}: {decision:?}");
    decision
}

fn policy(rules: &str) -> String {
    format!("kind: AccessPolicy\nmetadata: {{name: app}}\nspec: {{hosts: [app.example.com], rules: {rules}}}")
}

fn with_cedar(mode: &str, cedar: &str) -> Engine {
    engine(&format!(
        "kind: AccessPolicy\nmetadata: {{name: app}}\nspec:\n  mode: {mode}\n  hosts: [app.example.com]\n  rules: [{{paths: \
         [/open], allow: {{signedIn: true}}}}]\n  cedar: |\n    {}\n",
        cedar.replace('\n', "\n    ")
    ))
}

fn endpoint(hosts: &[&str], paths: &[&str], methods: &[&str]) -> Endpoint {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Endpoint {
        hosts: list(hosts),
        paths: list(paths),
        methods: list(methods),
    }
}

fn with_key(restrictions: Vec<Vec<Endpoint>>) -> Principal {
    let key = KeyUse {
        source: "ApiKey/auth/narrow".to_owned(),
        restrictions,
    };
    Principal::user(account("alice"), names(&["user"]), names(&[]), Some(key))
}

#[test]
fn a_snapshot_whose_rules_and_policies_do_not_pair_up_is_not_used() {
    let compiled = compile(
        &resources(&format!(
            "{}\n---\n{}",
            crate::story::INSTANCE,
            policy("[{allow: {anyone: true}}]")
        )),
        None,
    );
    let mut snapshot = compiled.snapshot.expect("a snapshot");
    assert!(Engine::new(snapshot.clone(), String::new()).is_ok(), "control");
    snapshot.access[0].rules.push(crate::snapshot::Place::default());
    let error = Engine::new(snapshot.clone(), String::new())
        .expect_err("it does not pair up")
        .to_string();
    assert_eq!(error, "policy `AccessPolicy/auth/app`: 2 rules with 1 policies");
    snapshot.access[0].rules = vec![crate::snapshot::Place::default(); 65];
    snapshot.access[0].allows = vec![snapshot.access[0].allows[0].clone(); 65];
    assert!(Engine::new(snapshot, String::new()).is_err(), "more rules than bits");
}
