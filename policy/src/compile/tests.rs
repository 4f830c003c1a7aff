//! Stories in YAML and what they become; and what holds of every compilation.

mod properties;

use std::fmt::Write as _;

use cedar_policy::{Policy, PolicySet, ValidationMode, Validator};
use crds::Reason;

use super::{Compiled, compile};
use crate::resources::Origin;
use crate::snapshot::{Access, CedarPolicy, Key, Provider, Settings, Snapshot, hexadecimal};
use crate::story::resources;
use crate::{Resources, cedar};

/// The resources of a story, and the instance that it names.
fn read(story: &str) -> (Resources, Option<&str>) {
    let instance = story.lines().next().and_then(|line| line.strip_prefix("# instance: "));
    (resources(story), instance)
}

fn stories() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/compile/fixtures");
    let mut stories = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            stories.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(stories.len() > 14, "the stories were not found");
    stories
}

#[test]
fn each_story_becomes_what_it_became() {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "fixtures"}, {
        insta::glob!("fixtures/*.yaml", |path| {
            let story = std::fs::read_to_string(path).unwrap();
            let (resources, instance) = read(&story);
            insta::assert_snapshot!(told(&compile(&resources, instance)));
        });
    });
}

/// Problems and Snapshot in words, without secrets.
fn told(compiled: &Compiled) -> String {
    let mut text = String::from("problems:\n");
    for problem in &compiled.problems {
        writeln!(text, "- [{}] {problem}", problem.reason).unwrap();
    }
    match &compiled.snapshot {
        None => text.push_str("no snapshot\n"),
        Some(snapshot) => {
            settings(&mut text, &snapshot.settings);
            snapshot.providers.iter().for_each(|one| provider(&mut text, one));
            snapshot.keys.written().for_each(|one| key(&mut text, &one));
            snapshot.access.iter().for_each(|one| access(&mut text, one));
        }
    }
    text
}

fn settings(text: &mut String, settings: &Settings) {
    let mut shown = serde_json::to_value(settings).unwrap();
    for secret in [
        "/tokens/secret",
        "/bootstrapAdmin/password",
        "/proxyAuth/secrets/0",
        "/proxyAuth/secrets/1",
        "/proxyAuth/tls/key",
    ] {
        if let Some(value) = shown.pointer_mut(secret).filter(|value| !value.is_null()) {
            *value = "(secret)".into();
        }
    }
    writeln!(text, "settings:").unwrap();
    for (name, value) in shown.as_object().unwrap() {
        writeln!(text, "  {name}: {value}").unwrap();
    }
}

fn provider(text: &mut String, provider: &Provider) {
    let Provider {
        name,
        display_name,
        method,
        claims,
        accounts,
        token_exchange,
        on_no_match,
        grants,
        groups,
    } = provider;
    writeln!(
        text,
        "provider {name} (`{display_name}`): {method:?}, without a match {on_no_match:?}"
    )
    .unwrap();
    if let Some(claims) = claims {
        writeln!(text, "  {claims:?}\n  {accounts:?}").unwrap();
    }
    if let Some(exchange) = token_exchange {
        writeln!(text, "  {exchange:?}").unwrap();
    }
    if let Some(groups) = groups {
        writeln!(text, "  {groups:?}").unwrap();
    }
    for grant in grants {
        writeln!(text, "  {:?}", grant.granted).unwrap();
        policy(text, &grant.policy);
    }
}

fn key(text: &mut String, key: &Key) {
    let from_to = (key.not_before, key.expires_at);
    writeln!(
        text,
        "key {} {}..: {:?}",
        key.name,
        &hexadecimal(&key.digest)[..8],
        key.owner
    )
    .unwrap();
    writeln!(
        text,
        "  roles {:?}, valid {from_to:?}, suspended {}",
        key.roles, key.suspended
    )
    .unwrap();
    for list in &key.restrictions {
        writeln!(text, "  only {}", serde_json::to_string(list).unwrap()).unwrap();
    }
}

fn access(text: &mut String, access: &Access) {
    let broken = if access.broken { ", broken" } else { "" };
    writeln!(
        text,
        "access {} ({:?}{broken}) on {}",
        access.name,
        access.mode,
        access.hosts.join(", ")
    )
    .unwrap();
    for (place, allow) in access.rules.iter().zip(&access.allows) {
        writeln!(text, "  {:?} {:?}", place.methods, place.paths).unwrap();
        policy(text, allow);
    }
    access.cedar.iter().for_each(|one| policy(text, one));
}

fn policy(text: &mut String, policy: &CedarPolicy) {
    let cedar = Policy::from_json(None, policy.tree.value().unwrap())
        .unwrap()
        .to_cedar()
        .unwrap();
    for line in cedar.lines() {
        writeln!(text, "    {line}").unwrap();
    }
}

fn policies(snapshot: &Snapshot) -> (Vec<&CedarPolicy>, Vec<&CedarPolicy>) {
    let requests = snapshot
        .access
        .iter()
        .flat_map(|access| access.allows.iter().chain(&access.cedar))
        .collect();
    let grants = snapshot
        .providers
        .iter()
        .flat_map(|provider| &provider.grants)
        .map(|grant| &grant.policy)
        .collect();
    (requests, grants)
}

#[test]
fn every_policy_is_valid_in_strict_mode() {
    #[track_caller]
    fn check(policies: &[&CedarPolicy], schema: Result<cedar_policy::Schema, String>) {
        let read =
            |(index, policy): (usize, &&CedarPolicy)| cedar::policy(&index.to_string(), policy.tree.value().unwrap());
        let read: Vec<Policy> = policies.iter().enumerate().map(read).collect::<Result<_, _>>().unwrap();
        let set = PolicySet::from_policies(read).unwrap();
        let result = Validator::new(schema.unwrap()).validate(&set, ValidationMode::Strict);
        let errors: Vec<String> = result.validation_errors().map(ToString::to_string).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut seen = 0;
    for (_, story) in stories() {
        let (resources, instance) = read(&story);
        let Some(snapshot) = compile(&resources, instance).snapshot else {
            continue;
        };
        let (requests, grants) = policies(&snapshot);
        seen += requests.len() + grants.len();
        check(&requests, cedar::schema());
        check(&grants, cedar::grants_schema());
    }
    assert!(seen > 20, "only {seen} policies");
}

#[test]
fn the_stories_show_every_reason_that_compiling_gives() {
    let mut given = std::collections::BTreeSet::new();
    for (_, story) in stories() {
        let (resources, instance) = read(&story);
        given.extend(
            compile(&resources, instance)
                .problems
                .iter()
                .map(|problem| problem.reason),
        );
    }
    // Those are no problems, or given by whoever reads the files, by the operator, or by replicas that ask providers.
    let elsewhere = [
        Reason::Accepted,
        Reason::Unreadable,
        Reason::Duplicate,
        Reason::SecretForeign,
        Reason::TooLarge,
        Reason::Published,
        Reason::NotPublished,
        Reason::InstanceNotReady,
        Reason::Held,
        Reason::NotDeployed,
        Reason::NotOptedIn,
        Reason::Enforced,
        Reason::Waiting,
        Reason::NoReplicas,
        Reason::Reachable,
        Reason::NotAsked,
        Reason::ServerUnreachable,
        Reason::CertificateInvalid,
        Reason::TlsRefused,
        Reason::TlsUnusable,
        Reason::AddressForbidden,
        Reason::TimedOut,
        Reason::ServerError,
        Reason::Nonsense,
        Reason::BadMetadata,
        Reason::IssuerMismatch,
        Reason::BadKeys,
        Reason::InvalidClient,
        Reason::ApplicationBindRefused,
        Reason::SearchBaseMissing,
        Reason::SearchRefused,
        Reason::Ready,
    ];
    for (reason, _) in Reason::ALL.iter().filter(|(reason, _)| !elsewhere.contains(reason)) {
        assert!(given.contains(reason), "no story shows {reason}");
    }
}

#[test]
fn j10_a_tenant_declares_no_provider_so_that_nothing_is_asked_in_its_name() {
    let provider = |namespace: &str| {
        format!(
            "---\nkind: AuthProvider\nmetadata: {{name: inside, namespace: {namespace}}}\nspec: {{oidc: {{issuer: https://vault.others.svc, \
             clientId: a, outbound: {{allowedNetworks: [10.0.0.0/8]}}}}}}\n"
        )
    };
    let tenant = "kind: Authd\nmetadata: {name: main}\nspec:\n  publicUrl: https://auth.example.com\n  tenants: [{namespaceSelector: \
                  {matchLabels: {team: payments}}, hosts: [\"*.payments.example.com\"]}]\n---\nkind: Namespace\nmetadata: {name: payments, \
                  labels: {team: payments}}\n";
    for (row, namespace, providers, reasons) in [
        ("control", "auth", 1, &[][..]),
        ("J10 a tenant", "payments", 0, &[Reason::HostNotGranted]),
        ("J10 a stranger", "others", 0, &[Reason::HostNotGranted]),
    ] {
        let compiled = compile(&resources(&format!("{tenant}{}", provider(namespace))), None);
        let given: Vec<Reason> = compiled.problems.iter().map(|problem| problem.reason).collect();
        assert_eq!(given, reasons, "{row}");
        assert_eq!(compiled.snapshot.unwrap().providers.len(), providers, "{row}");
    }
}

#[test]
fn messages_are_fragments_in_the_words_of_the_user() {
    for (path, story) in stories() {
        let (resources, instance) = read(&story);
        for problem in compile(&resources, instance).problems {
            let message = &problem.message;
            assert!(!message.ends_with('.') && !message.ends_with(' '), "{path}: {message}");
            assert!(
                !message.contains("::") || problem.reason == Reason::InvalidCedar,
                "{path}: {message}"
            );
            assert!(
                message.starts_with(|first: char| !first.is_ascii_uppercase()
                    || ["Secret ", "ConfigMap ", "ApiKey "]
                        .iter()
                        .any(|kind| message.starts_with(kind))),
                "{path}: {message}"
            );
        }
    }
}

#[test]
fn secrets_are_printed_nowhere() {
    let mut seen = 0;
    for (path, story) in stories() {
        let (resources, instance) = read(&story);
        let mut canaries: Vec<String> = Vec::new();
        for value in resources.secrets.iter().flat_map(|secret| secret.data.values()) {
            let text = String::from_utf8(value.clone()).unwrap();
            // A certificate lies in a Secret beside its key, and is shown to everybody.
            if text.starts_with("-----BEGIN CERTIFICATE-----") {
                continue;
            }
            canaries.extend([
                text.trim().to_owned(),
                format!("{value:?}"),
                format!("{:?}", text.as_bytes()),
            ]);
        }
        let compiled = compile(&resources, instance);
        let mut printed = vec![
            format!("{resources:?}"),
            format!("{compiled:?}"),
            format!("{:?}", compiled.problems),
        ];
        if let Some(snapshot) = compiled.snapshot {
            printed.push(format!("{:?}", snapshot.settings));
            printed.push(format!(
                "{:#?}",
                crate::Engine::new(snapshot, "sha256:x".to_owned()).unwrap()
            ));
        }
        for (canary, printed) in canaries
            .iter()
            .flat_map(|canary| printed.iter().map(move |text| (canary, text)))
        {
            seen += 1;
            assert!(!printed.contains(canary.as_str()), "{path}: {canary} is printed");
        }
    }
    assert!(seen > 50, "there were no secrets to look for");
}

#[track_caller]
fn served(policy: &str, row: &str, expected: &[&str]) {
    let answer = |engine: &crate::Engine, to: &str| {
        let target = crate::story::target(to);
        let decision = engine.decide(&crate::Principal::anonymous(), &target, &crate::story::context(None));
        crate::story::word(&decision)
    };
    let story = format!(
        "{}\n---\n{policy}\n---\nkind: AccessPolicy\nmetadata: {{name: b}}\nspec: {{hosts: [b.example.com], rules: [{{allow: \
         {{anyone: true}}}}]}}",
        crate::story::INSTANCE
    );
    let compiled = compile(&resources(&story), None);
    let messages: Vec<&str> = compiled
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(messages, expected, "{row}");
    let engine = crate::story::ready(compiled);
    assert_eq!(
        answer(&engine, "GET b.example.com/"),
        "permit",
        "{row}: the rest is served"
    );
    let alone = if expected.is_empty() { "permit" } else { "BrokenPolicy" };
    assert_eq!(answer(&engine, "GET a.example.com/a"), alone, "{row}");
}

#[test]
fn an_access_policy_has_at_most_as_many_rules_as_the_engine_has_bits() {
    for (rules, expected) in [(64, &[][..]), (65, &["it has 65 rules, 64 are the most"])] {
        let rules = vec!["{allow: {anyone: true}}"; rules].join(", ");
        let policy =
            format!("kind: AccessPolicy\nmetadata: {{name: a}}\nspec: {{hosts: [a.example.com], rules: [{rules}]}}");
        served(&policy, &rules, expected);
    }
}

#[test]
fn k12_a_policy_that_cannot_be_used_closes_its_hosts_and_nothing_else() {
    for (row, spec, expected) in [
        ("K12 control", "rules: [{allow: {anyone: true}}]", &[][..]),
        (
            "K12 a path that nobody reaches",
            "rules: [{allow: {anyone: true}}, {paths: [/a/../b], allow: {anyone: true}}]",
            &["`/a/../b` can never be reached: the path has a segment that can be read in two ways"],
        ),
        (
            "K12 it allows nothing",
            "rules: []",
            &["it allows nothing: add `rules` or `cedar`"],
        ),
    ] {
        let policy = format!("kind: AccessPolicy\nmetadata: {{name: a}}\nspec: {{hosts: [a.example.com], {spec}}}");
        served(&policy, row, expected);
    }
}

#[test]
fn cedar_that_is_too_deep_to_be_read_is_a_problem_of_its_resource() {
    let many = |text: &str, times: usize| text.repeat(times);
    let deep = "policy 1 is nested too deeply: join conditions by `&&` and `||`, or write several policies";
    let operators = |column: usize| {
        format!(
            "line 1, column {column}: one policy has more than 512 operators: write a set with `contains` or `in`, or several policies"
        )
    };
    let brackets = "line 1, column 68: brackets are nested more than 24 deep".to_owned();
    for (row, condition, expected) in [
        ("control, long ||", many("resource.path == 'a' || ", 100) + "true", None),
        ("control, long &&", many("resource.path != 'a' && ", 100) + "true", None),
        ("control, deep", "0 < ".to_owned() + &many("1 + ", 25) + "1", None),
        ("control, deep", many("!(true && ", 12) + "true" + &many(")", 12), None),
        (
            "control, long strings",
            format!("resource.path != '{}'", many("((||[[..", 200)),
            None,
        ),
        (
            "control, comments",
            format!("true // {}\n", many("((||[[..", 200)),
            None,
        ),
        (
            "control, quotes in strings",
            format!("resource.path != '{}'", many("\\'((", 200)),
            None,
        ),
        ("+", "0 < ".to_owned() + &many("1 + ", 100) + "1", Some(deep.to_owned())),
        (
            "||",
            many("resource.path == 'a' || ", 1000) + "true",
            Some(operators(4147)),
        ),
        ("(", many("(", 5000) + "true", Some(brackets.clone())),
        ("[", many("[", 5000) + "1", Some(brackets)),
        (".", "resource".to_owned() + &many(".path", 5000), Some(operators(2613))),
        (
            "if",
            many("if true then true else ", 1000) + "true",
            Some(operators(11821)),
        ),
        ("when", many("true} when {", 200) + "true", Some(deep.to_owned())),
    ] {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};").replace('\'', "\"");
        let policy = format!(
            "kind: AccessPolicy\nmetadata: {{name: a}}\nspec: {{hosts: [a.example.com], cedar: {}}}",
            serde_json::to_string(&text).unwrap()
        );
        served(&policy, row, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_key_made_by_the_operator_expires_and_leaves_room_for_the_one_before() {
    let story = |origin: Origin, secret: &str| {
        let mut resources = resources(&format!(
            "{}\n---\nkind: ApiKey\nmetadata: {{name: ci, uid: key-uid}}\nspec: {{owner: {{service: ci}}, secretName: ci, \
             expiresAfter: 90d, rotation: {{every: 30d}}}}\n---\nkind: Secret\nmetadata: {{name: ci, {secret}}}\nstringData: {{api-key: \
             sk-0123456789abcdef0123456789abcdef01234567, previous-api-key: sk-fedcba9876543210fedcba9876543210fedcba98}}",
            crate::story::INSTANCE
        ));
        resources.origin = origin;
        let compiled = compile(&resources, None);
        let keys: Vec<Option<i64>> = compiled
            .snapshot
            .unwrap()
            .keys
            .written()
            .map(|key| key.expires_at)
            .collect();
        let reasons: Vec<&str> = compiled.problems.iter().map(|problem| problem.reason.name()).collect();
        (reasons, keys)
    };
    let owned = "ownerReferences: [{apiVersion: authd.dev/v1alpha1, kind: ApiKey, name: ci, uid: key-uid}]";
    let others = owned.replace("key-uid", "another-uid");
    let made = "authd.dev/made-at: '2026-01-01T00:00:00Z', authd.dev/previous-until: '2026-01-02T00:00:00Z'";
    let (day, end) = (Some(1_767_312_000), Some(1_767_225_600 + 90 * 86_400));
    let both = |found: Vec<Option<i64>>| found.len() == 2 && found.contains(&day) && found.contains(&end);
    for (row, secret) in [
        ("owned", format!("{owned}, annotations: {{{made}}}")),
        (
            "offered",
            format!("{others}, annotations: {{{made}, authd.dev/api-key: ci}}"),
        ),
    ] {
        let (reasons, keys) = story(Origin::Cluster, &secret);
        assert!(reasons.is_empty() && both(keys.clone()), "{row}: {reasons:?} {keys:?}");
    }
    let annotated = format!("annotations: {{{made}}}");
    assert!(both(story(Origin::Folder, &annotated).1), "a folder has one author");
    for (row, secret, reason) in [
        ("nobody's", annotated.clone(), "SecretForeign"),
        ("another's", format!("{others}, {annotated}"), "SecretForeign"),
        (
            "offered to another",
            format!("annotations: {{{made}, authd.dev/api-key: other}}"),
            "SecretForeign",
        ),
        ("not dated", owned.to_owned(), "InvalidField"),
    ] {
        assert_eq!(story(Origin::Cluster, &secret), (vec![reason], vec![]), "{row}");
    }
}
