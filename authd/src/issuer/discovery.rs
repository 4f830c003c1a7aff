//! What does an OpenID provider say of itself (OpenID Connect Discovery 1.0)?

use bytes::Bytes;
use serde::Deserialize;
use url::Url;

use crate::outbound::{self, Outbound, Patience, Question};

/// What a provider says of itself, checked.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Where people sign in.
    pub authorization_endpoint: Url,
    /// Where a code is exchanged for tokens.
    pub token_endpoint: Url,
    /// Where its keys are.
    pub jwks_uri: Url,
    /// Where more claims are.
    pub userinfo_endpoint: Option<Url>,
    /// Where people sign out.
    pub end_session_endpoint: Option<Url>,
    /// Where clients register.
    pub registration_endpoint: Option<Url>,
    /// Whether every answer names its issuer (RFC 9207).
    pub names_issuer: bool,
    /// How clients may say who they are.
    pub client_auth: Vec<String>,
}

/// Why there is no metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The provider cannot be reached.
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    /// It does not answer with a JSON document.
    #[error("there is no OpenID metadata: the answer has status {status}")]
    NoDocument {
        /// The status of the answer.
        status: u16,
    },
    /// The document lacks what OpenID asks for.
    #[error("the OpenID metadata cannot be used: it lacks a member that is needed, or one is of another type")]
    Malformed,
    /// The document is another issuer's.
    #[error("the OpenID metadata is that of another issuer than `{0}`, to the letter")]
    IssuerMismatch(String),
    /// An endpoint is no URL that is reached.
    #[error("the OpenID metadata names a `{0}` that is not https, or carries a user or fragment")]
    Endpoint(&'static str),
}

impl Error {
    /// The reason as conditions, audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::IssuerMismatch(_) => "IssuerMismatch",
            Self::Outbound(error) => error.reason(),
            Self::NoDocument { .. } | Self::Malformed | Self::Endpoint(_) => "BadMetadata",
        }
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Keys {
    issuer: String,
    jwks_uri: String,
}

/// Fetches the metadata of an issuer, in which it is to be named so.
///
/// # Errors
/// There is none that can be used.
pub async fn fetch(outbound: &Outbound, issuer: &str, named: &str) -> Result<Metadata, Error> {
    read(named, &document(outbound, issuer).await?)
}

async fn document(outbound: &Outbound, issuer: &str) -> Result<Bytes, Error> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = Url::parse(&address).map_err(|_| outbound::Error::Url(issuer.to_owned()))?;
    let answer = outbound.ask(Question::get(&url, Patience::Short)).await?;
    if answer.status != http::StatusCode::OK || !answer.is_json {
        return Err(Error::NoDocument {
            status: answer.status.as_u16(),
        });
    }
    Ok(answer.body)
}

/// Where the keys of an issuer are that need not be one of people: a Kubernetes cluster says of itself hardly more.
///
/// # Errors
/// It does not say.
pub async fn keys_at(outbound: &Outbound, issuer: &str) -> Result<Url, Error> {
    let document: Keys = serde_json::from_slice(&document(outbound, issuer).await?).map_err(|_| Error::Malformed)?;
    if document.issuer != issuer {
        return Err(Error::IssuerMismatch(issuer.to_owned()));
    }
    endpoint(issuer, "jwks_uri", &document.jwks_uri)
}

fn read(issuer: &str, document: &[u8]) -> Result<Metadata, Error> {
    let document: Document = serde_json::from_slice(document).map_err(|_| Error::Malformed)?;
    if document.issuer != issuer {
        return Err(Error::IssuerMismatch(issuer.to_owned()));
    }
    let endpoint = |name, text: &str| endpoint(issuer, name, text);
    let optional = |name, text: Option<&String>| text.map(|text| endpoint(name, text)).transpose();
    Ok(Metadata {
        authorization_endpoint: endpoint("authorization_endpoint", &document.authorization_endpoint)?,
        token_endpoint: endpoint("token_endpoint", &document.token_endpoint)?,
        jwks_uri: endpoint("jwks_uri", &document.jwks_uri)?,
        userinfo_endpoint: optional("userinfo_endpoint", document.userinfo_endpoint.as_ref())?,
        end_session_endpoint: optional("end_session_endpoint", document.end_session_endpoint.as_ref())?,
        registration_endpoint: optional("registration_endpoint", document.registration_endpoint.as_ref())?,
        names_issuer: document.authorization_response_iss_parameter_supported,
        client_auth: document
            .token_endpoint_auth_methods_supported
            .unwrap_or_else(|| vec!["client_secret_basic".to_owned()]),
    })
}

/// An endpoint that an issuer names. One on this machine may use http there, and nowhere else.
fn endpoint(issuer: &str, name: &'static str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|_| Error::Endpoint(name))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let secure = issuer.starts_with("https://");
    let scheme = url.scheme() == "https" || !secure && url.scheme() == "http" && outbound::is_this_machine(&url);
    if plain && scheme && url.has_host() {
        Ok(url)
    } else {
        Err(Error::Endpoint(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://idp.example.com/realm";

    fn with(changed: &serde_json::Value) -> Result<Metadata, Error> {
        let mut document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://idp.example.com/auth",
            "token_endpoint": "https://idp.example.com/token",
            "jwks_uri": "https://idp.example.com/keys",
        });
        for (name, value) in changed.as_object().unwrap() {
            document[name] = value.clone();
        }
        read(ISSUER, document.to_string().as_bytes())
    }

    #[test]
    fn b19_metadata_of_another_issuer_is_refused_also_for_a_slash() {
        assert!(with(&json!({})).is_ok());
        for other in [
            "https://idp.example.com/realm/",
            "https://IDP.example.com/realm",
            "https://idp.example.com",
            "http://idp.example.com/realm",
            "",
        ] {
            let error = with(&json!({"issuer": other})).unwrap_err();
            assert_eq!(error.reason(), "IssuerMismatch", "B19 {other}");
        }
    }

    #[test]
    fn j05_an_endpoint_that_is_not_https_is_refused() {
        for url in [
            "http://idp.example.com/x",
            "http://localhost/x",
            "file:///etc/passwd",
            "gopher://idp.example.com/",
            "ldap://idp.example.com/",
            "https://user:pass@idp.example.com/",
            "https://idp.example.com/#x",
            "/relative",
            "",
        ] {
            for name in [
                "authorization_endpoint",
                "token_endpoint",
                "jwks_uri",
                "userinfo_endpoint",
                "end_session_endpoint",
            ] {
                let error = with(&json!({name: url})).unwrap_err();
                assert_eq!(error, Error::Endpoint(name), "J05 {name} {url}");
            }
        }
    }

    #[test]
    fn a_provider_on_this_machine_may_use_http_there_and_nowhere_else() {
        let issuer = "http://localhost:9000";
        let document = |token: &str| {
            json!({"issuer": issuer, "authorization_endpoint": "http://localhost:9000/auth", "token_endpoint": token,
                   "jwks_uri": "http://localhost:9000/keys"})
            .to_string()
        };
        assert!(read(issuer, document("http://localhost:9000/token").as_bytes()).is_ok());
        assert!(read(issuer, document("http://idp.example.com/token").as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_metadata_is_said_to_be_none() {
        for text in ["", "[]", "{}", "<html>", r#"{"issuer": 1}"#] {
            assert_eq!(read(ISSUER, text.as_bytes()).unwrap_err(), Error::Malformed, "{text}");
        }
        assert_eq!(with(&json!({"jwks_uri": null})).unwrap_err(), Error::Malformed);
    }
}
