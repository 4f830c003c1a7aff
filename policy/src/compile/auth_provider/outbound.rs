//! How a provider's servers are reached, for every kind that has servers.

use crds::{AuthProvider, Reason};
use ipnet::IpNet;

use crate::compile::scope::{Scope, problem};
use crate::problem::Problem;
use crate::secret::secret;
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
    let ca = match &outbound.ca_secret_ref {
        Some(reference) => Some(certificates(
            scope,
            resource,
            &format!("{field}.caSecretRef"),
            reference,
        )?),
        None => None,
    };
    Ok(Outbound { allowed_networks, ca })
}

pub(super) fn certificates(
    scope: &Scope<'_>,
    resource: &AuthProvider,
    field: &str,
    reference: &crds::SecretKeyRef,
) -> Result<crate::secret::Secret, Problem> {
    let value = scope.secret(resource, field, reference)?;
    let is_pem = std::str::from_utf8(value).is_ok_and(|text| text.contains("-----BEGIN CERTIFICATE-----"));
    if is_pem {
        Ok(secret(value))
    } else {
        let message = format!(
            "Secret `{}` has no certificate under `{}`: put PEM there, which begins with `-----BEGIN CERTIFICATE-----`",
            reference.name, reference.key
        );
        Err(problem(resource, field, Reason::SecretUnusable, message))
    }
}
