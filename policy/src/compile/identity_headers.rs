//! `Authd.spec.identityHeaders` to the names that are sent.

use std::collections::BTreeMap;

use crds::{Authd, Reason};

use super::scope::problem;
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
