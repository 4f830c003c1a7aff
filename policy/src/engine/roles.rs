//! Which roles and groups a person has: what RoleMappings grant their claims, and what an administrator gave by hand.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{Authorizer, Context, Decision, Entities, Entity, PolicySet, Request, RestrictedExpression};
use crds::OnNoMatch;

use super::{Engine, ReadyProvider};
use crate::cedar::{self, Type};
use crate::compile::glob_tag;
use crate::snapshot::{Grant, Granted};

/// What a provider said of a person: names of claims and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(pub BTreeMap<String, Vec<String>>);

/// The role that an administrator gave an account by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRole {
    /// None yet.
    Pending,
    /// `user`.
    User,
    /// `admin`.
    Admin,
}

/// Whether somebody may be here, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// With these roles and groups.
    Admitted {
        /// Roles.
        roles: BTreeSet<String>,
        /// Groups that mappings grant.
        groups: BTreeSet<String>,
    },
    /// The account waits for an administrator.
    Pending,
    /// Nothing is granted and the mapping says `Deny`; or granting failed.
    Refused,
}

impl Engine {
    /// Works out what the claims of a person who signed in with `provider` grant. A provider that is no longer there admits
    /// nobody.
    #[must_use]
    pub fn admit(&self, provider: &str, claims: &Claims, account: AccountRole) -> Admission {
        let Some(ready) = self.providers.iter().find(|ready| ready.provider.name == provider) else {
            return Admission::Refused;
        };
        let Ok(granted) = granted(ready, claims) else {
            return Admission::Refused;
        };
        let (mut roles, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for granted in granted {
            match granted {
                Granted::Role(role) => roles.insert(role.clone()),
                Granted::Group(group) => groups.insert(group.clone()),
            };
        }
        if roles.is_empty() {
            match ready.provider.on_no_match {
                Some(OnNoMatch::Deny) => return Admission::Refused,
                Some(OnNoMatch::Pending) => return Admission::Pending,
                Some(OnNoMatch::Keep) | None => {}
            }
        }
        match account {
            AccountRole::Pending if roles.is_empty() => return Admission::Pending,
            AccountRole::Pending => {}
            AccountRole::User => drop(roles.insert("user".to_owned())),
            AccountRole::Admin => drop(roles.insert("admin".to_owned())),
        }
        Admission::Admitted { roles, groups }
    }
}

fn granted<'a>(ready: &'a ReadyProvider, claims: &Claims) -> Result<BTreeSet<&'a Granted>, String> {
    let principal = Type::Claims.uid("claims")?;
    let entity = Entity::new_with_tags(
        principal.clone(),
        [],
        HashSet::new(),
        tags(claims, &ready.provider.grants),
    )
    .map_err(|error| error.to_string())?;
    let entities = cedar::entities([entity])?;
    let policies = PolicySet::from_policies(ready.policies.iter().cloned()).map_err(|error| error.to_string())?;
    let wanted: BTreeSet<&Granted> = ready.provider.grants.iter().map(|grant| &grant.granted).collect();
    let mut granted = BTreeSet::new();
    for candidate in wanted {
        if is_granted(&principal, candidate, &policies, &entities)? {
            granted.insert(candidate);
        }
    }
    Ok(granted)
}

fn is_granted(
    principal: &cedar_policy::EntityUid,
    candidate: &Granted,
    policies: &PolicySet,
    entities: &Entities,
) -> Result<bool, String> {
    let resource = match candidate {
        Granted::Role(role) => Type::Role.uid(role)?,
        Granted::Group(group) => Type::Group.uid(group)?,
    };
    let action = Type::Action.uid("grant")?;
    let request =
        Request::new(principal.clone(), action, resource, Context::empty(), None).map_err(|error| error.to_string())?;
    let response = Authorizer::new().is_authorized(&request, policies, entities);
    Ok(response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none())
}

/// The claims themselves, and for each glob the values that fit it. A claim that is named like the tag of a glob counts for nothing:
/// what a provider calls its claims must not stand for a test that they passed.
fn tags(claims: &Claims, grants: &[Grant]) -> HashMap<String, RestrictedExpression> {
    let values = |values: &mut dyn Iterator<Item = &String>| {
        RestrictedExpression::new_set(values.map(|value| RestrictedExpression::new_string(value.clone())))
    };
    let mut tags: HashMap<_, _> = claims
        .0
        .iter()
        .map(|(claim, said)| (claim.clone(), values(&mut said.iter())))
        .collect();
    for (claim, pattern) in grants.iter().flat_map(|grant| &grant.globs) {
        let said = claims.0.get(claim).into_iter().flatten();
        let mut fitting = said.filter(|value| glob(pattern, value)).peekable();
        if fitting.peek().is_some() {
            tags.insert(glob_tag(claim, pattern), values(&mut fitting));
        } else {
            tags.remove(&glob_tag(claim, pattern));
        }
    }
    tags
}

/// Whether the whole text fits a pattern in which `*` stands for any text.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_glob_covers_the_whole_text() {
        for (pattern, text, expected) in [
            ("staff-*", "staff-eu", true),
            ("staff-*", "staff-", true),
            ("staff-*", "xstaff-eu", false),
            ("*@example.com", "a@example.com", true),
            ("*@example.com", "a@example.com.evil", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
