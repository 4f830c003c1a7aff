//! What else does the provider say of the person (OpenID Connect Core, section 5.3)? It adds to the ID token, and replaces nothing.

use http::{HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::outbound::{self, Outbound, Patience, Question};

/// Why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The endpoint cannot be reached.
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    /// It does not answer with a JSON object.
    #[error("the userinfo endpoint answers with status {0}, or not with JSON")]
    Answer(u16),
    /// It speaks of somebody else.
    #[error("the userinfo endpoint speaks of somebody else")]
    Subject,
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Outbound(error) => error.reason(),
            Self::Answer(_) => "BadUserinfo",
            Self::Subject => "UserinfoSubject",
        }
    }

    /// Whether it may be better the next time.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Outbound(_) => true,
            Self::Answer(status) => *status >= 500 || *status == 429,
            Self::Subject => false,
        }
    }
}

/// Asks an endpoint with an access token for a JSON document.
///
/// # Errors
/// There is none.
pub async fn ask<T: serde::de::DeserializeOwned>(
    outbound: &Outbound,
    endpoint: &Url,
    token: &SecretString,
) -> Result<T, Error> {
    let mut question = Question::get(endpoint, Patience::Long);
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| Error::Answer(0))?;
    bearer.set_sensitive(true);
    question.headers.insert(header::AUTHORIZATION, bearer);
    let answer = outbound.ask(question).await?;
    answer.json().ok_or(Error::Answer(answer.status.as_u16()))
}

/// Adds to the claims of an ID token what userinfo says of the same subject.
///
/// # Errors
/// [`Error::Subject`].
pub fn merge(claims: &mut Map<String, Value>, said: Map<String, Value>, subject: &str) -> Result<(), Error> {
    if said.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(Error::Subject);
    }
    // Whether an address is verified is said of the address beside it, not of one from elsewhere.
    let has_email = claims.contains_key("email");
    for (name, value) in said {
        if has_email && name == "email_verified" {
            continue;
        }
        claims.entry(name).or_insert(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(claims: &Value, said: &Value) -> Result<Value, Error> {
        let mut claims = claims.as_object().unwrap().clone();
        merge(&mut claims, said.as_object().unwrap().clone(), "s-1").map(|()| Value::Object(claims))
    }

    #[test]
    fn b17_what_is_said_of_somebody_else_is_not_used() {
        for sub in [json!("s-2"), json!(null), json!(1), json!("")] {
            assert_eq!(
                merged(&json!({}), &json!({"sub": sub, "groups": ["admin"]})),
                Err(Error::Subject),
                "B17"
            );
        }
        assert_eq!(merged(&json!({}), &json!({})), Err(Error::Subject), "B17 absent");
    }

    #[test]
    fn userinfo_adds_and_replaces_nothing() {
        let claims = json!({"sub": "s-1", "email": "a@example.com", "groups": ["a"]});
        let said =
            json!({"sub": "s-1", "email": "b@example.com", "email_verified": true, "groups": [], "name": "Alice"});
        let expected = json!({"sub": "s-1", "email": "a@example.com", "groups": ["a"], "name": "Alice"});
        assert_eq!(merged(&claims, &said).unwrap(), expected);
        let said = json!({"sub": "s-1", "email": "b@example.com", "email_verified": true});
        assert_eq!(merged(&json!({"sub": "s-1"}), &said).unwrap(), said);
    }
}
