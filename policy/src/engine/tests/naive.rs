//! The meaning of AccessPolicies a second time, in plain Rust, over the resources and without Cedar.

use crds::{AccessPolicySpec, AccessRule, Allow, Endpoint, Mode};

use super::super::{Denial, Outcome};
use crate::Principal;
use crate::Target;
use crate::principal::Identity;

/// How many seconds ago somebody signed in, and in which class.
type SignedIn<'a> = Option<(i64, Option<&'a str>)>;

/// The answer that these policies give, of which none is broken and no two claim one host.
pub(super) fn decide(
    policies: &[AccessPolicySpec],
    principal: &Principal,
    target: &Target<'_>,
    signed_in: SignedIn<'_>,
) -> Outcome {
    let exact = |policy: &&AccessPolicySpec| policy.hosts.iter().any(|host| *host == target.host);
    let wild = |policy: &&AccessPolicySpec| policy.hosts.iter().any(|host| host_fits(host, &target.host));
    let Some(policy) = policies.iter().find(exact).or_else(|| policies.iter().find(wild)) else {
        return Outcome::Deny(Denial::UnknownHost);
    };
    let lists = principal.key().map_or(&[][..], |key| &key.restrictions);
    if !lists
        .iter()
        .all(|list| list.iter().any(|endpoint| endpoint_fits(endpoint, target)))
    {
        return Outcome::Deny(Denial::KeyEndpoint);
    }
    let fits: Vec<(Option<(usize, bool)>, &AccessRule)> =
        policy.rules.iter().map(|rule| (fit(rule, target), rule)).collect();
    let best = fits.iter().filter_map(|(fit, _)| *fit).max();
    let deciding: Vec<&AccessRule> = fits
        .iter()
        .filter(|(fit, _)| fit.is_some() && *fit == best)
        .map(|(_, rule)| *rule)
        .collect();
    let allowed = |signed_in: SignedIn<'_>| {
        let mut rules = deciding.iter();
        rules.any(|rule| allows(&rule.allow, principal) && lately(rule, signed_in) && strongly(rule, signed_in))
    };
    let mut stronger = deciding.iter().filter_map(|rule| rule.acr.first());
    let denial = match (best, principal.is_pending()) {
        _ if allowed(signed_in) => return Outcome::Permit,
        _ if signed_in.is_some_and(|(_, acr)| allowed(Some((0, acr)))) => Denial::SignedInTooLongAgo,
        _ if signed_in.is_some() && stronger.any(|acr| allowed(Some((0, Some(acr))))) => Denial::SignedInTooWeakly,
        (_, true) => Denial::Pending,
        (None, _) => Denial::NoRule,
        (Some(_), _) => Denial::NotAllowed,
    };
    if policy.mode == Mode::Shadow {
        Outcome::Permit
    } else {
        Outcome::Deny(denial)
    }
}

fn lately(rule: &AccessRule, signed_in: SignedIn<'_>) -> bool {
    match &rule.signed_in_within {
        None => true,
        Some(within) => {
            let most = within
                .seconds()
                .ok()
                .flatten()
                .and_then(|seconds| i64::try_from(seconds).ok());
            signed_in.zip(most).is_some_and(|((ago, _), most)| ago <= most)
        }
    }
}

fn strongly(rule: &AccessRule, signed_in: SignedIn<'_>) -> bool {
    let acr = signed_in.and_then(|(_, acr)| acr);
    rule.acr.is_empty() || acr.is_some_and(|acr| rule.acr.iter().any(|wanted| wanted == acr))
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

fn fit(rule: &AccessRule, target: &Target<'_>) -> Option<(usize, bool)> {
    let path = segments(&target.path);
    let prefixes = rule
        .paths
        .iter()
        .map(|prefix| segments(prefix))
        .filter(|prefix| path.starts_with(prefix));
    let length = if rule.paths.is_empty() {
        Some(0)
    } else {
        prefixes.map(|prefix| prefix.len()).max()
    };
    let method = rule.methods.is_empty() || rule.methods.iter().any(|method| *method == target.method);
    length
        .filter(|_| method)
        .map(|length| (length, !rule.methods.is_empty()))
}

fn allows(allow: &Allow, principal: &Principal) -> bool {
    let among = |names: &Option<Vec<String>>, name: &str| names.iter().flatten().any(|one| one == name);
    let person = match principal.identity() {
        Identity::User(user) if !user.pending => Some(user),
        _ => None,
    };
    let service = match principal.identity() {
        Identity::Service(name) => Some(name),
        _ => None,
    };
    let has_role =
        |role: &String| principal.roles().contains(role) || (role == "user" && principal.roles().contains("admin"));
    allow.anyone == Some(true)
        || allow.signed_in == Some(true) && (person.is_some() || service.is_some())
        || allow.roles.iter().flatten().any(has_role)
        || principal.groups().iter().any(|group| among(&allow.groups, group))
        || person.is_some_and(|user| user.email_verified && among(&allow.users, &user.email))
        || service.is_some_and(|service| among(&allow.services, service))
}

fn host_fits(pattern: &str, host: &str) -> bool {
    let (pattern, host): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    pattern.len() == host.len()
        && pattern
            .iter()
            .zip(&host)
            .all(|(pattern, label)| *pattern == "*" || pattern == label)
}

fn endpoint_fits(endpoint: &Endpoint, target: &Target<'_>) -> bool {
    let path = segments(&target.path);
    let every = |list: &[String], fits: &dyn Fn(&String) -> bool| list.is_empty() || list.iter().any(fits);
    every(&endpoint.hosts, &|host| host_fits(host, &target.host))
        && every(&endpoint.paths, &|prefix| path.starts_with(&segments(prefix)))
        && every(&endpoint.methods, &|method| *method == target.method)
}
