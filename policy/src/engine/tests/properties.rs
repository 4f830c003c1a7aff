//! What holds of every decision.

use crds::AccessPolicySpec;
use proptest::prelude::*;

use super::super::decide::Question;
use super::super::{AccountRole, Admission, Claims, Engine, SignIn};
use super::naive;
use crate::engine::Context;
use crate::story::random::{anywhere, cedar, mapping, mappings, policies, policy, principal, signed_in};
use crate::story::{INSTANCE, context, ready, resources};
use crate::{Principal, Target, compile};

fn engine_of(specs: &[AccessPolicySpec], cedar: Option<&str>) -> Engine {
    let mut resources = resources(INSTANCE);
    for (index, spec) in specs.iter().enumerate() {
        let spec = AccessPolicySpec {
            cedar: cedar.map(str::to_owned),
            ..spec.clone()
        };
        resources.access_policies.push(policy(&format!("p{index}"), spec));
    }
    let compiled = compile(&resources, None);
    assert_eq!(compiled.problems, []);
    ready(compiled)
}

/// The usual moment, for somebody who signed in so many seconds ago.
fn at(client_ip: Option<&str>, signed_in: Option<(i64, Option<&'static str>)>) -> Context<'static> {
    let context = context(client_ip);
    Context {
        signed_in: signed_in.map(|(ago, acr)| SignIn {
            at: context.now - ago * 1000,
            acr,
        }),
        ..context
    }
}

fn questions() -> impl Strategy<Value = Vec<(Principal, Target<'static>)>> {
    prop::collection::vec((principal(), anywhere()), 8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_equals_a_naive_second_implementation(specs in policies(), questions in questions(), ago in signed_in()) {
        let engine = engine_of(&specs, None);
        for (principal, target) in questions {
            let decision = engine.decide(&principal, &target, &at(None, ago));
            let naive = naive::decide(&specs, &principal, &target, ago);
            prop_assert_eq!(decision.outcome, naive, "K14 {:?} {:?}", principal, target);
        }
    }

    #[test]
    fn slicing_never_changes_a_decision(
        specs in policies(), cedar in cedar(), questions in questions(), ago in signed_in(),
    ) {
        let engine = engine_of(&specs, cedar.as_deref());
        for (principal, target) in &questions {
            let slice = engine.slice(target);
            let Some((_, ready)) = slice.access else { continue };
            let context = &at(None, ago);
            let question = Question { ready, rules: slice.rules, principal, target, context };
            let answers = [slice.rules, u64::MAX].map(|shown| {
                let response = question.ask(shown).expect("it can be asked");
                let reasons: std::collections::BTreeSet<String> =
                    response.diagnostics().reason().map(ToString::to_string).collect();
                (response.decision(), reasons)
            });
            prop_assert_eq!(&answers[0], &answers[1], "{:?} {:?}", principal, target);
        }
    }

    #[test]
    fn equal_keys_have_equal_decisions(
        specs in policies(), cedar in cedar(), questions in questions(), moments in prop::collection::vec(signed_in(), 3),
    ) {
        let engine = engine_of(&specs, cedar.as_deref());
        let mut known = std::collections::HashMap::new();
        for (principal, target) in &questions {
            for (_, other) in &questions {
                for (ip, ago) in [None, Some("127.0.0.1"), Some("192.0.2.1")].into_iter().zip(&moments) {
                    let context = at(ip, *ago);
                    let target = Target { method: target.method.clone(), ..other.clone() };
                    let decision = engine.decide(principal, &target, &context);
                    let key = engine.slice(&target).key(principal, &target, &context).expect("nothing reads the time");
                    let first = known.entry(key).or_insert_with(|| decision.clone());
                    prop_assert_eq!(&*first, &decision, "{:?} {:?}", principal, target);
                }
            }
        }
    }

    #[test]
    fn roles_never_grow_when_a_mapping_goes(
        parts in mappings(), gone in any::<prop::sample::Index>(),
        values in prop::collection::vec("[ab]{0,2}", 0..3), account in 0..3_usize,
    ) {
        let account = [AccountRole::Pending, AccountRole::User, AccountRole::Admin][account];
        let by_hand = ["pending", "user", "admin"][account as usize];
        let claims = Claims([("c".to_owned(), values)].into());
        let admit = |parts: &[_]| {
            let mut resources = resources(INSTANCE);
            resources.role_mappings = parts.iter().enumerate().map(|(at, part)| mapping(&format!("m{at}"), part)).collect();
            ready(compile(&resources, None)).admit("local", &claims, account)
        };
        let before = admit(&parts);
        let mut fewer = parts.clone();
        fewer.remove(gone.index(parts.len()));
        // What an administrator gave by hand is no grant of a mapping: it may come back when the mapping that refused goes.
        if let Admission::Admitted { mut roles, groups } = admit(&fewer) {
            let (before, groups_before) = match before {
                Admission::Admitted { roles, groups } => (roles, groups),
                Admission::Pending | Admission::Refused => Default::default(),
            };
            roles.remove(by_hand);
            prop_assert!(roles.is_subset(&before), "{:?} of {:?}", roles, before);
            prop_assert!(groups.is_subset(&groups_before));
        }
    }
}
