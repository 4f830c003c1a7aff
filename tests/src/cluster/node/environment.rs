//! What are the variables of a container, and what becomes of `$(NAME)` in its arguments?

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod};
use kube::{Client, ResourceExt};

use super::object::{Keys, config_map, field, secret};

/// Variables by their names.
pub(super) type Variables = BTreeMap<String, String>;

/// What the container is told, on top of what every container is told.
///
/// # Errors
/// Something that is referred to is not there.
pub(super) async fn variables(
    client: &Client,
    pod: &Pod,
    address: Ipv4Addr,
    container: &Container,
    every: Variables,
) -> Result<Variables, String> {
    let mut variables = every;
    for variable in container.env.iter().flatten() {
        let value = match &variable.value {
            Some(value) => Some(expand(value, &variables)),
            None => referred(client, pod, address, variable).await?,
        };
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(variables)
}

async fn referred(client: &Client, pod: &Pod, address: Ipv4Addr, variable: &EnvVar) -> Result<Option<String>, String> {
    let namespace = pod.namespace().unwrap_or_default();
    let Some(source) = &variable.value_from else {
        return Ok(Some(String::new()));
    };
    if let Some(reference) = &source.field_ref {
        field(pod, address, &reference.field_path).map(Some)
    } else if let Some(reference) = &source.secret_key_ref {
        let keys = secret(client, &namespace, &reference.name).await?;
        key(keys, &reference.name, &reference.key, reference.optional)
    } else if let Some(reference) = &source.config_map_key_ref {
        let keys = config_map(client, &namespace, &reference.name).await?;
        key(keys, &reference.name, &reference.key, reference.optional)
    } else {
        Err(format!("this node does not know where `{}` comes from", variable.name))
    }
}

fn key(keys: Option<Keys>, name: &str, key: &str, optional: Option<bool>) -> Result<Option<String>, String> {
    match keys.and_then(|mut keys| keys.remove(key)) {
        Some(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        None if optional == Some(true) => Ok(None),
        None => Err(format!("key `{key}` of `{name}` not found")),
    }
}

/// The text with each `$(NAME)` replaced that is known; `$$(NAME)` stands for `$(NAME)`.
pub(super) fn expand(text: &str, variables: &Variables) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(escaped) = after.strip_prefix('$') {
            expanded.push('$');
            rest = escaped;
            continue;
        }
        let named = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        match named.and_then(|(name, after)| Some((variables.get(name)?, after))) {
            Some((value, after)) => {
                expanded.push_str(value);
                rest = after;
            }
            None => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let variables = Variables::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())]);
        assert_eq!(expand(text, &variables), expected, "{text}");
    }

    #[test]
    fn what_is_known_is_replaced_once() {
        for (text, expected) in [
            ("$(A):8080", "1:8080"),
            ("$(A)$(A)", "11"),
            ("$(B)", "$(A)"),
            ("$$(A)", "$(A)"),
            ("$(C) $A ${A} $", "$(C) $A ${A} $"),
            ("$(A", "$(A"),
        ] {
            check(text, expected);
        }
    }
}
