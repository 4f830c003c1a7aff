//! Who is calling, signed for one request, so that an application can tell authd's word from anybody's.
//!
//! A JWT (RFC 7519) for one host, method and URL (`aud`, and `htm` and `htu` as in RFC 9449), with an id of its own. It is made anew
//! for every request: remembered ones would be of use to somebody who saw one, and applications could not tell a second use.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use http::HeaderValue;
use policy::identity_headers::Part;
use policy::{Principal, Target};
use serde::Serialize;
use uuid::Uuid;

use super::Caller;
use super::headers::text;
use crate::app::App;
use crate::serving::Serving;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<&'a BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a BTreeSet<String>>,
    /// The claims that are left out because there is no room for them.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    overflow: &'a [&'static str],
    iat: i64,
    exp: i64,
    jti: Uuid,
    htm: &'a str,
    htu: &'a str,
}

/// The value of the header, where the instance makes assertions and somebody is calling; `None` also where the URL alone is longer
/// than an answer may be.
#[must_use]
pub fn assertion(app: &App, serving: &Serving, caller: &Caller, target: &Target<'_>) -> Option<HeaderValue> {
    let settings = serving.settings();
    let lifetime = i64::try_from(settings.assertion_lifetime?).ok()?;
    let principal: &Principal = &caller.principal;
    if principal.is_anonymous() {
        return None;
    }
    let now = app.now().as_second();
    let url = url(target);
    let claims = |roles, groups, overflow| Claims {
        iss: &settings.public_url,
        aud: &target.host,
        sub: text(principal, Part::User),
        email: text(principal, Part::Email),
        name: text(principal, Part::Name),
        provider: text(principal, Part::Provider),
        roles,
        groups,
        overflow,
        iat: now,
        exp: now.saturating_add(lifetime),
        jti: app.random.token_id(),
        htm: &target.method,
        htu: &url,
    };
    let (roles, groups) = (Some(principal.roles()), Some(principal.groups()));
    let choices = [
        (roles, groups, &[][..]),
        (roles, None, &["groups"]),
        (None, None, &["groups", "roles"]),
    ];
    let fitting = choices.into_iter().find_map(|(roles, groups, overflow)| {
        let listed = [roles, groups].into_iter().flatten().flatten();
        // Looked at first, so that thousands of groups are not written down for nothing.
        if listed.map(String::len).sum::<usize>() > caller.room {
            return None;
        }
        let json = serde_json::to_string(&claims(roles, groups, overflow)).ok()?;
        (serving.tokens.assertion_length(json.len()) <= caller.room).then_some(json)
    });
    let mut value = HeaderValue::try_from(serving.tokens.sign_assertion(&fitting?).ok()?).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The URL without its query (RFC 9449 section 4.2).
fn url(target: &Target<'_>) -> String {
    let port = target.port.map_or(String::new(), |port| format!(":{port}"));
    let path = target.uri.split('?').next().unwrap_or_default();
    format!("{}://{}{port}{path}", target.scheme.name(), target.host)
}
