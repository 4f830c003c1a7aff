//! What holds of every compilation.

use crds::{AccessPolicySpec, Algorithm};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{read, stories};
use crate::snapshot::Snapshot;
use crate::story::random::{cedar, mapping, mappings, policies, policy, reordered};
use crate::story::{INSTANCE, resources};
use crate::{Engine, Resources, compile};

fn shuffled(resources: &Resources, order: &[Index]) -> Resources {
    Resources {
        origin: resources.origin,
        authds: reordered(&resources.authds, order),
        providers: reordered(&resources.providers, order),
        role_mappings: reordered(&resources.role_mappings, order),
        api_keys: reordered(&resources.api_keys, order),
        access_policies: reordered(&resources.access_policies, order),
        secrets: reordered(&resources.secrets, order),
        config_maps: reordered(&resources.config_maps, order),
        namespaces: reordered(&resources.namespaces, order),
    }
}

fn bytes(resources: &Resources, instance: Option<&str>) -> (Option<Vec<u8>>, String) {
    let compiled = compile(resources, instance);
    (
        compiled.snapshot.map(|snapshot| snapshot.bytes().unwrap()),
        format!("{:?}", compiled.problems),
    )
}

fn generated() -> impl Strategy<Value = Resources> {
    (policies(), cedar(), mappings()).prop_map(|(specs, cedar, parts)| {
        let mut resources = resources(INSTANCE);
        let spec = |spec| AccessPolicySpec {
            cedar: cedar.clone(),
            ..spec
        };
        let policies = specs
            .into_iter()
            .enumerate()
            .map(|(at, one)| policy(&format!("p{at}"), spec(one)));
        resources.access_policies = policies.collect();
        resources.role_mappings = parts
            .iter()
            .enumerate()
            .map(|(at, part)| mapping(&format!("m{at}"), part))
            .collect();
        resources
    })
}

fn broken() -> impl Strategy<Value = AccessPolicySpec> {
    let texts = [
        "permit",
        "permit (principal, action, resource) when { resource.x };",
        "}{",
        "\u{0}",
        "forbid (é",
    ];
    let host = prop::sample::select(vec!["broken.test", "a.x.test", "*.x.test"]);
    (host, prop::sample::select(texts.to_vec())).prop_map(|(host, text)| AccessPolicySpec {
        mode: crds::Mode::Enforce,
        on_revocation_unknown: crds::OnRevocationUnknown::default(),
        hosts: vec![host.to_owned()],
        rules: Vec::new(),
        cedar: Some(text.to_owned()),
    })
}

#[test]
fn the_order_of_resources_changes_nothing_in_any_story() {
    for (path, story) in stories() {
        let (resources, instance) = read(&story);
        let expected = bytes(&resources, instance);
        let mut turned = resources.clone();
        turned.authds.reverse();
        turned.providers.reverse();
        turned.role_mappings.reverse();
        turned.api_keys.reverse();
        turned.access_policies.reverse();
        turned.secrets.reverse();
        turned.config_maps.reverse();
        turned.namespaces.reverse();
        assert!(bytes(&turned, instance) == expected, "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn same_input_same_bytes_in_any_order(resources in generated(), order in prop::collection::vec(any::<Index>(), 1..5)) {
        let first = bytes(&resources, None);
        prop_assert_eq!(&first, &bytes(&shuffled(&resources, &order), None));
        let written = first.0.expect("a snapshot");
        prop_assert_eq!(Snapshot::read(&written).unwrap().bytes().unwrap(), written);
    }

    #[test]
    fn a_broken_policy_changes_nothing_but_itself(resources in generated(), spec in broken()) {
        let before = compile(&resources, None);
        let mut more = resources;
        more.access_policies.push(policy("zz-broken", spec));
        let after = compile(&more, None);
        prop_assert!(after.problems.iter().any(|problem| problem.name == "zz-broken"));
        let (mut after, before) = (after.snapshot.expect("a snapshot"), before.snapshot.expect("a snapshot"));
        after.access.retain(|access| access.name != "auth/zz-broken");
        prop_assert_eq!(after.bytes().unwrap(), before.bytes().unwrap());
    }

    #[test]
    fn compiling_never_panics(
        text in ".{0,20}", cedar in "(permit|forbid) ?\\(principal, ?action, ?resource\\).{0,20}", more in prop::collection::vec(".{0,8}", 0..4),
    ) {
        let mut resources = resources(INSTANCE);
        let mut authd = resources.authds[0].clone();
        authd.spec.public_url.clone_from(&text);
        authd.spec.cookie.domain = more.first().cloned();
        authd.spec.tokens.lifetime = crds::Duration(text.clone());
        authd.spec.trusted_proxies.clone_from(&more);
        authd.spec.api_keys.allowed_endpoints.clone_from(&more);
        authd.spec.tokens.algorithm = if text.len() > 9 { Algorithm::HS256 } else { Algorithm::EdDSA };
        for text in [cedar, text] {
            let rules = serde_json::json!([{"paths": more, "methods": more, "allow": {"roles": more, "users": more}}]);
            let spec = AccessPolicySpec {
                mode: crds::Mode::Enforce,
        on_revocation_unknown: crds::OnRevocationUnknown::default(),
                hosts: more.clone(),
                rules: serde_json::from_value(rules).unwrap(),
                cedar: Some(text.clone()),
            };
            resources.access_policies.push(policy(&text, spec));
        }
        let served = compile(&resources, None).snapshot.expect("the Authd is in order");
        let bytes = served.bytes().unwrap();
        prop_assert!(Engine::new(Snapshot::read(&bytes).unwrap(), String::new()).is_ok());
        resources.authds = vec![authd];
        let _ = compile(&resources, None);
    }

    #[test]
    fn reading_damaged_bytes_never_panics(resources in generated(), cuts in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4)) {
        let mut bytes = bytes(&resources, None).0.expect("a snapshot");
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(snapshot) = Snapshot::read(&bytes) {
            let _ = Engine::new(snapshot, String::new());
        }
        bytes.truncate(bytes.len() / 2);
        prop_assert!(Snapshot::read(&bytes).is_err());
    }
}
