//! How a provider's servers are reached, for every kind that has servers.

use crds::{AuthProvider, ConfigMapKeyRef, Reason, SecretKeyRef};
use ipnet::IpNet;

use crate::compile::scope::{Scope, problem};
use crate::problem::Problem;
use crate::secret::{Secret, secret};
use crate::snapshot::Outbound;

/// The networks that may be reached, and the authorities that count. `field` is where it stands, such as `spec.oidc.outbound`.
pub(super) fn compile(
    scope: &Scope<'_>,
    resource: &AuthProvider,
    field: &str,
    outbound: Option<&crds::Outbound>,
) -> Result<Outbound, Problem> {
    let Some(outbound) = outbound else {
        return Ok(Outbound::default());
    };
    let network = |(index, text): (usize, &String)| {
        text.parse::<IpNet>().map_err(|_| {
            let message =
                format!("`{text}` is not a network: write an address and a prefix length, such as `10.0.0.0/8`");
            let field = format!("{field}.allowedNetworks[{index}]");
            problem(resource, &field, Reason::InvalidValue, message)
        })
    };
    let allowed_networks = outbound.allowed_networks.iter().enumerate().map(network);
    let allowed_networks = allowed_networks.collect::<Result<_, _>>()?;
    let given = (outbound.ca_secret_ref.as_ref(), outbound.ca_config_map_ref.as_ref());
    let ca = authorities(scope, resource, field, given)?;
    Ok(Outbound { allowed_networks, ca })
}

/// The certificates of authorities; `None`: those that the system trusts. `field` is where the references stand.
pub(super) fn authorities(
    scope: &Scope<'_>,
    resource: &AuthProvider,
    field: &str,
    given: (Option<&SecretKeyRef>, Option<&ConfigMapKeyRef>),
) -> Result<Option<Secret>, Problem> {
    match given {
        (None, None) => Ok(None),
        (Some(reference), None) => certificates(scope, resource, &format!("{field}.caSecretRef"), reference).map(Some),
        (None, Some(reference)) => {
            let field = format!("{field}.caConfigMapRef");
            let value = scope.config_map(resource, &field, reference)?;
            let wrong = || {
                let message = no_certificate("ConfigMap", &reference.name, &reference.key);
                problem(resource, &field, Reason::ConfigMapUnusable, message)
            };
            pem(value).ok_or_else(wrong).map(Some)
        }
        (Some(_), Some(_)) => {
            let message =
                "certificates come out of a Secret or a ConfigMap: leave out `caSecretRef` or `caConfigMapRef`";
            Err(problem(resource, field, Reason::InvalidField, message))
        }
    }
}

/// Certificates in a Secret.
pub(super) fn certificates(
    scope: &Scope<'_>,
    resource: &AuthProvider,
    field: &str,
    reference: &SecretKeyRef,
) -> Result<Secret, Problem> {
    let value = scope.secret(resource, field, reference)?;
    pem(value).ok_or_else(|| {
        let message = no_certificate("Secret", &reference.name, &reference.key);
        problem(resource, field, Reason::SecretUnusable, message)
    })
}

fn pem(value: &[u8]) -> Option<Secret> {
    let text = std::str::from_utf8(value).ok()?;
    text.contains("-----BEGIN CERTIFICATE-----").then(|| secret(value))
}

fn no_certificate(kind: &str, name: &str, key: &str) -> String {
    format!(
        "{kind} `{name}` has no certificate under `{key}`: put PEM there, which begins with `-----BEGIN CERTIFICATE-----`"
    )
}
