//! `Authd.spec.identityHeaders` to the names that are sent.

use std::collections::BTreeMap;

use crds::{Algorithm, Authd, Reason};

use super::scope::{finite, problem};
use crate::identity_headers::{IdentityHeaders, fit, given};
use crate::problem::Problem;

/// The names, each of which carries one part of an identity and nothing else; `None` when one cannot.
pub(super) fn compile(authd: &Authd, problems: &mut Vec<Problem>) -> Option<IdentityHeaders> {
    let spec = &authd.spec.identity_headers;
    let before = problems.len();
    let mut wrong = |part: &str, message: String| {
        let field = format!("spec.identityHeaders.names.{part}");
        problems.push(problem(authd, &field, Reason::InvalidValue, message));
    };
    for (part, name) in given(&spec.names) {
        if let Err(unfit) = fit(name) {
            wrong(part.field(), format!("`{name}` cannot carry an identity: {unfit}"));
        }
    }
    let headers = IdentityHeaders::new(spec.preset, &spec.names);
    let mut taken = BTreeMap::new();
    for (part, name) in headers.names() {
        if let Some(other) = taken.insert(name, part) {
            let message = format!(
                "`{name}` already carries `{}`: give each a name of its own",
                other.field()
            );
            wrong(part.field(), message);
        }
    }
    (problems.len() == before).then_some(headers)
}

/// The longest life of an assertion, in seconds: it is for one request, and cannot be revoked.
const LONGEST: u64 = 60;

/// For how many seconds an assertion is valid, where there are any.
pub(super) fn assertion_lifetime(authd: &Authd) -> Result<Option<u64>, Problem> {
    let Some(assertion) = &authd.spec.identity_headers.assertion else {
        return Ok(None);
    };
    if authd.spec.tokens.algorithm == Algorithm::HS256 {
        let message = "with `algorithm: HS256`, whoever can verify an assertion can also sign one, and sign in as anybody: use EdDSA";
        return Err(problem(
            authd,
            "spec.identityHeaders.assertion",
            Reason::InvalidField,
            message,
        ));
    }
    let field = "spec.identityHeaders.assertion.lifetime";
    let lifetime = finite(authd, field, &assertion.lifetime)?;
    if lifetime > LONGEST {
        let message = format!(
            "`{}` is too long for what is made for one request: use `60s` or less",
            assertion.lifetime.0
        );
        return Err(problem(authd, field, Reason::InvalidDuration, message));
    }
    Ok(Some(lifetime))
}
