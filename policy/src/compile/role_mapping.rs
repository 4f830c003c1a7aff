//! `RoleMapping` to Cedar policies that grant roles and groups to claims.

use crds::{GroupGrants, OnNoMatch, Reason, RoleMapping, When};
use serde_json::Value;

use super::scope::{Scope, full_name, problem};
use crate::cedar::{Draft, Effect, Type, Var, any, binary, set, text};
use crate::problem::Problem;
use crate::snapshot::{CedarPolicy, Grant, Granted, GroupSync, Provider, Tree};

/// Adds what the mappings grant to their providers. Several mappings of one provider add up; of their `onNoMatch`, the
/// strictest holds.
pub(super) fn compile(scope: &Scope<'_>, providers: &mut [Provider], problems: &mut Vec<Problem>) {
    for mapping in &scope.resources.role_mappings {
        let name = &mapping.spec.provider_ref.name;
        if scope.is_elsewhere(mapping) {
            continue;
        }
        if !scope.is_home(mapping) {
            let message = "a RoleMapping counts only in the namespace of its Authd: move it there";
            problems.push(problem(mapping, "metadata.namespace", Reason::RoleNotGranted, message));
            continue;
        }
        let Some(provider) = providers.iter_mut().find(|provider| provider.name == *name) else {
            let message =
                format!("no AuthProvider `{name}` in this namespace can be used: add it, or see what is wrong with it");
            problems.push(problem(
                mapping,
                "spec.providerRef.name",
                Reason::ProviderMissing,
                message,
            ));
            continue;
        };
        provider.on_no_match = Some(strictest(provider.on_no_match, mapping.spec.on_no_match));
        provider.grants.extend(grants(mapping));
        if let Some(groups) = mapping.spec.groups.as_ref().filter(|groups| groups.sync) {
            provider.groups = Some(added(provider.groups.take(), groups));
        }
    }
    for provider in providers {
        provider.grants.sort_by(|left, right| {
            let key = |grant: &Grant| (grant.policy.source.clone(), grant.policy.rule.clone());
            key(left).cmp(&key(right))
        });
    }
}

fn strictest(known: Option<OnNoMatch>, new: OnNoMatch) -> OnNoMatch {
    match (known, new) {
        (Some(OnNoMatch::Deny), _) | (_, OnNoMatch::Deny) => OnNoMatch::Deny,
        (Some(OnNoMatch::Pending), _) | (_, OnNoMatch::Pending) => OnNoMatch::Pending,
        (_, OnNoMatch::Keep) => OnNoMatch::Keep,
    }
}

/// What several mappings say of syncing adds up; of what an absent claim means, the strictest holds.
fn added(known: Option<GroupSync>, new: &GroupGrants) -> GroupSync {
    let mut ignore = known.as_ref().map_or(Vec::new(), |known| known.ignore.clone());
    ignore.extend(new.ignore.iter().cloned());
    ignore.sort();
    ignore.dedup();
    GroupSync {
        create: new.create || known.as_ref().is_some_and(|known| known.create),
        ignore,
        on_absent: known.map_or(new.on_absent, |known| known.on_absent.min(new.on_absent)),
    }
}

fn grants(mapping: &RoleMapping) -> Vec<Grant> {
    let source = format!("RoleMapping/{}", full_name(mapping));
    let roles = mapping.spec.roles.iter().flatten().enumerate().map(|(index, grant)| {
        (
            Granted::Role(grant.role.clone()),
            format!("spec.roles[{index}]"),
            &grant.when_any,
        )
    });
    let groups = mapping
        .spec
        .groups
        .iter()
        .flat_map(|groups| &groups.grant)
        .enumerate()
        .map(|(index, grant)| {
            (
                Granted::Group(grant.group.clone()),
                format!("spec.groups.grant[{index}]"),
                &grant.when_any,
            )
        });
    roles
        .chain(groups)
        .map(|(granted, rule, when_any)| grant(&source, rule, granted, when_any))
        .collect()
}

fn grant(source: &str, rule: String, granted: Granted, when_any: &[When]) -> Grant {
    let globs = when_any
        .iter()
        .filter_map(|when| Some((when.claim.clone(), when.glob.clone()?)))
        .collect();
    let (kind, name) = match &granted {
        Granted::Role(role) => (Type::Role, role),
        Granted::Group(group) => (Type::Group, group),
    };
    let draft = Draft {
        effect: Effect::Permit,
        source,
        rule: &rule,
        resource_in: Some((kind, name.clone())),
        when: Some(any(when_any.iter().map(test).collect())),
        unless: None,
    };
    let tree = Tree::from(&draft.tree());
    Grant {
        granted,
        globs,
        policy: CedarPolicy {
            source: source.to_owned(),
            rule,
            tree,
        },
    }
}

fn test(when: &When) -> Value {
    let claims = || Var::Principal.expression();
    match (&when.equals, &when.glob) {
        (Some(value), _) => {
            let present = binary("hasTag", claims(), text(&when.claim));
            let values = binary("getTag", claims(), text(&when.claim));
            binary("&&", present, binary("containsAny", values, set([text(value)])))
        }
        (None, glob) => binary(
            "hasTag",
            claims(),
            text(&glob_tag(&when.claim, glob.as_deref().unwrap_or_default())),
        ),
    }
}

/// The tag under which claims carry their values that fit a glob. The claim is quoted, so that no two tests share a tag.
pub(crate) fn glob_tag(claim: &str, glob: &str) -> String {
    format!("{claim:?}~{glob}")
}
