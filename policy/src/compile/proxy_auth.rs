//! How proxies prove that they are proxies, with the Secrets that it names.

use crds::{ProxyTls as Declared, Reason, SecretKeyRef};

use super::scope::{Scope, problem};
use crate::problem::Problem;
use crate::secret::{Secret, secret};
use crate::snapshot::{ProxyAuth, ProxyTls};

/// The shortest secret that is taken, in bytes.
const SHORTEST: usize = 32;

pub(super) fn proxy_auth(scope: &Scope<'_>) -> Result<Option<ProxyAuth>, Problem> {
    let Some(declared) = &scope.authd.spec.proxy_auth else {
        return Ok(None);
    };
    if declared.secret_refs.is_empty() && declared.tls.is_none() {
        let message = "needs `secretRefs`, `tls`, or both";
        return Err(problem(scope.authd, "spec.proxyAuth", Reason::InvalidField, message));
    }
    let secrets = declared.secret_refs.iter().enumerate();
    Ok(Some(ProxyAuth {
        secrets: secrets
            .map(|(index, reference)| header_value(scope, index, reference))
            .collect::<Result<_, _>>()?,
        tls: declared.tls.as_ref().map(|tls| proxy_tls(scope, tls)).transpose()?,
    }))
}

fn header_value(scope: &Scope<'_>, index: usize, reference: &SecretKeyRef) -> Result<Secret, Problem> {
    let field = format!("spec.proxyAuth.secretRefs[{index}]");
    let value = scope.secret(scope.authd, &field, reference)?;
    if !value.iter().all(u8::is_ascii_graphic) {
        let message =
            "the secret has characters that a header cannot carry; perhaps a line break at its end, from a file";
        return Err(problem(scope.authd, &field, Reason::SecretUnusable, message));
    }
    if value.len() < SHORTEST {
        let message = format!(
            "the secret has {} characters, and {SHORTEST} or more are needed: make one with `openssl rand -hex 32`",
            value.len()
        );
        return Err(problem(scope.authd, &field, Reason::WeakSecret, message));
    }
    Ok(secret(value))
}

fn proxy_tls(scope: &Scope<'_>, declared: &Declared) -> Result<ProxyTls, Problem> {
    let own = |key: &str| SecretKeyRef {
        name: declared.secret_name.clone(),
        key: key.to_owned(),
    };
    let field = "spec.proxyAuth.tls.secretName";
    let certificate = pem(scope, field, &own("tls.crt"), "CERTIFICATE")?;
    let key = pem(scope, field, &own("tls.key"), "PRIVATE KEY")?;
    let client_ca = match &declared.client_ca_ref {
        Some(reference) => pem(scope, "spec.proxyAuth.tls.clientCaRef", reference, "CERTIFICATE")?,
        None => pem(scope, field, &own("ca.crt"), "CERTIFICATE")?,
    };
    Ok(ProxyTls {
        certificate: certificate.to_owned(),
        key: secret(key.as_bytes()),
        client_ca: client_ca.to_owned(),
        client_names: declared.client_names.clone(),
    })
}

/// Text that holds something of this kind. Whether certificate and key are good and belong together is found out by whoever uses
/// them.
fn pem<'a>(scope: &Scope<'a>, field: &str, reference: &SecretKeyRef, kind: &str) -> Result<&'a str, Problem> {
    let value = scope.secret(scope.authd, field, reference)?;
    let text = std::str::from_utf8(value).ok();
    text.filter(|text| text.contains("-----BEGIN ") && text.contains(&format!("{kind}-----")))
        .ok_or_else(|| {
            let SecretKeyRef { name, key } = reference;
            let message = format!("`{key}` of Secret `{name}` is no PEM with a `{kind}`");
            problem(scope.authd, field, Reason::SecretUnusable, message)
        })
}
