//! What a provider outside says of a person, read strictly: which address is theirs, what they are called, and the claims that
//! RoleMappings test.
//!
//! An absent claim and an empty one are told apart. An address that nobody vouches for is no claim.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crds::{ClaimNames, TrustEmail};
use serde_json::{Map, Value};

use crate::email;
use crate::engine::Claims;
use crate::snapshot::Provider;

/// The claim by which a provider says whether `email` is verified (OpenID Connect Core, section 5.1).
const EMAIL_VERIFIED: &str = "email_verified";
/// The longest name of a person, in characters.
const MAX_NAME: usize = 128;
/// The longest URL of a picture, in bytes.
const MAX_PICTURE: usize = 2048;

/// What a provider outside says of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Their address, in lower case, if it is verified.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// The `https` URL of a picture.
    pub picture: Option<String>,
    /// The groups that they are in; `None`: the provider does not say.
    pub groups: Option<Vec<String>>,
    /// What RoleMappings test.
    pub claims: Claims,
}

impl Said {
    /// Reads what the provider said, a JSON object of claims.
    #[must_use]
    pub fn read(provider: &Provider, said: &Value) -> Self {
        let names = provider.claims.clone().unwrap_or_default();
        let empty = Map::new();
        let found = found(said.as_object().unwrap_or(&empty));
        let mut flat: BTreeMap<String, Vec<String>> = found
            .into_iter()
            .filter_map(|(name, value)| values(&names, &name, value).map(|values| (name, values)))
            .collect();
        let one = |name: &str| match flat.get(name).map(Vec::as_slice) {
            Some([only]) => Some(only.clone()),
            _ => None,
        };
        let email = one(&names.email)
            .filter(|_| vouched_for(provider.accounts.trust_email, &names, said))
            .and_then(|text| email::address(&text));
        let name = one(&names.name).or_else(|| one("preferred_username"));
        let canonical = [
            ("email", email.clone().map(|email| vec![email])),
            (EMAIL_VERIFIED, Some(vec![email.is_some().to_string()])),
            ("name", flat.get(&names.name).cloned()),
            ("picture", flat.get(&names.picture).cloned()),
            ("roles", flat.get(&names.roles).cloned()),
            ("groups", flat.get(&names.groups).cloned()),
        ];
        let said = Self {
            name: name.and_then(|name| shown(&name)),
            picture: one(&names.picture).filter(|url| {
                url.starts_with("https://") && url.len() <= MAX_PICTURE && !url.contains(char::is_control)
            }),
            groups: flat.get(&names.groups).cloned(),
            email,
            claims: Claims::default(),
        };
        for (name, values) in canonical {
            match values {
                Some(values) => flat.insert(name.to_owned(), values),
                None => flat.remove(name),
            };
        }
        Self {
            claims: Claims(flat),
            ..said
        }
    }
}

/// Whether the address counts as verified. `email_verified` speaks of the claim `email` alone, and only `true` itself means so.
fn vouched_for(trust: TrustEmail, names: &ClaimNames, said: &Value) -> bool {
    match trust {
        TrustEmail::Always => true,
        TrustEmail::Never => false,
        TrustEmail::WhenVerified => names.email == "email" && said.get(EMAIL_VERIFIED) == Some(&Value::Bool(true)),
    }
}

/// Every claim under its name, and nested ones under their path. Of two that share one, the one less deep counts; of two equally
/// deep, none.
fn found(said: &Map<String, Value>) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    collect(&mut found, "", 0, said);
    found
        .into_iter()
        .filter_map(|(name, (_, value))| Some((name, value?)))
        .collect()
}

fn collect<'a>(
    found: &mut BTreeMap<String, (usize, Option<&'a Value>)>,
    prefix: &str,
    depth: usize,
    said: &'a Map<String, Value>,
) {
    for (name, value) in said {
        let path = format!("{prefix}{name}");
        if let Value::Object(nested) = value {
            collect(found, &format!("{path}."), depth + 1, nested);
            continue;
        }
        match found.get_mut(&path) {
            Some((known, _)) if *known < depth => {}
            Some((known, value)) if *known == depth => *value = None,
            _ => drop(found.insert(path, (depth, Some(value)))),
        }
    }
}

/// The values of a claim; `None` where it says nothing that can be tested.
fn values(names: &ClaimNames, name: &str, value: &Value) -> Option<Vec<String>> {
    match (value, &names.separator) {
        (Value::Array(items), _) => items.iter().map(text).collect(),
        (Value::String(several), Some(separator)) if name == names.roles || name == names.groups => {
            let parts = several.split(separator.as_str()).map(str::trim);
            Some(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
        }
        _ => text(value).map(|text| vec![text]),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A name as it can be shown: without control characters, and not too long.
fn shown(name: &str) -> Option<String> {
    let name: String = name
        .chars()
        .filter(|letter| !letter.is_control())
        .take(MAX_NAME)
        .collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
