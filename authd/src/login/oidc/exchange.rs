//! A code, or a refresh token, for tokens (RFC 6749, sections 4.1.3 and 6), and who we are while we ask.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crds::Reason;
use http::{HeaderValue, header};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use policy::snapshot::ClientProof;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::health::Heard;
use crate::outbound::{self, Outbound, Question};
use crate::random::Random;

/// The longest token that is kept, in bytes.
const MAX_TOKEN: usize = 64 * 1024;
/// How long an assertion of ours holds, in seconds.
const ASSERTION_LIFETIME: i64 = 60;
/// The longest time that an access token is taken to hold, in seconds: a year.
const MAX_LIFETIME: i64 = 366 * 24 * 3600;

/// Who we are at a provider.
#[derive(Clone, Debug)]
pub struct Party {
    /// Our name there.
    pub id: String,
    /// How we prove it.
    pub proof: ClientProof,
}

/// Tokens that a provider gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Opens the provider's endpoints.
    pub access_token: SecretString,
    /// Until when, in epoch seconds, where the provider says.
    pub expires_at: Option<i64>,
    /// Gets new ones.
    pub refresh_token: Option<SecretString>,
    /// Says who signed in.
    pub id_token: Option<SecretString>,
}

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The provider cannot be reached.
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    /// It has an error of its own, or asks us to come later.
    #[error("the token endpoint answers with status {0}")]
    Status(u16),
    /// The code or refresh token does not count, or no longer (`invalid_grant`).
    #[error("the provider does not accept the code or refresh token")]
    Grant,
    /// We are not who we should be (`invalid_client`).
    #[error("the provider does not know this client, or its secret is another")]
    Client,
    /// It refuses for another reason.
    #[error("the provider refuses to give tokens")]
    Refused,
    /// What it gives are no tokens that can be used.
    #[error("the answer of the token endpoint cannot be used")]
    Malformed,
    /// The private key signs nothing.
    #[error("the key in `privateKeyRef` is no RSA, P-256 or Ed25519 key in PKCS #8 (PEM)")]
    PrivateKey,
}

impl Error {
    /// The reason as audit lines and metrics name it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Outbound(error) => error.reason(),
            Self::Status(_) => "ServerError",
            Self::Grant => "InvalidGrant",
            Self::Client => "InvalidClient",
            Self::Refused => "Refused",
            Self::Malformed => "BadAnswer",
            Self::PrivateKey => "PrivateKey",
        }
    }

    /// What it says of how the provider fares; `None`: it is about one code or token.
    pub(super) fn heard(&self) -> Option<Heard> {
        match self {
            Self::Outbound(_) | Self::Status(_) | Self::Client => {
                let reason = Reason::named(self.reason())?;
                Some(Heard::NoTokens(reason, self.to_string()))
            }
            Self::Grant | Self::Refused | Self::Malformed | Self::PrivateKey => None,
        }
    }
}

#[derive(Deserialize)]
struct Given {
    access_token: SecretString,
    token_type: String,
    expires_in: Option<serde_json::Value>,
    refresh_token: Option<SecretString>,
    id_token: Option<SecretString>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Asks a token endpoint. `issuer` is whom an assertion of ours is for: the issuer that is configured, whatever metadata says.
///
/// # Errors
/// There are no tokens.
pub async fn ask(
    outbound: &Outbound,
    (endpoint, issuer): (&Url, &str),
    party: &Party,
    grant: &[(&str, &str)],
    (random, now): (&Random, Timestamp),
) -> Result<Tokens, Error> {
    let mut fields: Vec<(&str, &str)> = grant.to_vec();
    let assertion;
    let mut authorization = None;
    match &party.proof {
        ClientProof::None => fields.push(("client_id", &party.id)),
        ClientProof::Basic(secret) => authorization = Some(basic(&party.id, policy::secret::expose(secret))?),
        ClientProof::Post(secret) => {
            let secret = std::str::from_utf8(policy::secret::expose(secret)).map_err(|_| Error::Malformed)?;
            fields.extend([("client_id", party.id.as_str()), ("client_secret", secret)]);
        }
        ClientProof::PrivateKeyJwt(key) => {
            assertion = assert(&party.id, issuer, policy::secret::expose(key), (random, now))?;
            fields.extend([
                ("client_id", party.id.as_str()),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", assertion.as_str()),
            ]);
        }
    }
    let mut question = Question::form(endpoint, &fields);
    if let Some(value) = authorization {
        question.headers.insert(header::AUTHORIZATION, value);
    }
    read(&outbound.ask(question).await?, now)
}

fn read(answer: &outbound::Answer, now: Timestamp) -> Result<Tokens, Error> {
    match answer.status.as_u16() {
        200 => {}
        400 | 401 => {
            let refusal: Option<Refusal> = serde_json::from_slice(&answer.body).ok();
            return Err(match refusal.as_ref().map(|refusal| refusal.error.as_str()) {
                Some("invalid_grant") => Error::Grant,
                Some("invalid_client" | "unauthorized_client") => Error::Client,
                _ => Error::Refused,
            });
        }
        status @ (408 | 429 | 500..) => return Err(Error::Status(status)),
        _ => return Err(Error::Refused),
    }
    let given: Given = answer.json().ok_or(Error::Malformed)?;
    let fits = |token: &SecretString| (1..=MAX_TOKEN).contains(&token.expose_secret().len());
    let all = [
        Some(&given.access_token),
        given.refresh_token.as_ref(),
        given.id_token.as_ref(),
    ];
    if !given.token_type.eq_ignore_ascii_case("bearer") || !all.into_iter().flatten().all(fits) {
        return Err(Error::Malformed);
    }
    let lifetime = match &given.expires_in {
        None | Some(serde_json::Value::Null) => None,
        Some(said) => Some(said.as_i64().filter(|seconds| *seconds >= 0).ok_or(Error::Malformed)?),
    };
    Ok(Tokens {
        expires_at: lifetime.map(|seconds| now.as_second() + seconds.min(MAX_LIFETIME)),
        access_token: given.access_token,
        refresh_token: given.refresh_token,
        id_token: given.id_token,
    })
}

/// Name and secret in the `Authorization` header, each encoded as a form is (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &[u8]) -> Result<HeaderValue, Error> {
    let encoded = |bytes: &[u8]| -> String { url::form_urlencoded::byte_serialize(bytes).collect() };
    let pair = format!("{}:{}", encoded(id.as_bytes()), encoded(secret));
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).map_err(|_| Error::Malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A token of our own that says who we are (RFC 7523): for one issuer alone, once, for a minute.
fn assert(id: &str, issuer: &str, key: &[u8], (random, now): (&Random, Timestamp)) -> Result<String, Error> {
    let (algorithm, key) = private_key(key).ok_or(Error::PrivateKey)?;
    let now = now.as_second();
    let claims = json!({
        "iss": id, "sub": id, "aud": issuer, "jti": random.hex(16), "iat": now, "exp": now + ASSERTION_LIFETIME,
    });
    jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).map_err(|_| Error::PrivateKey)
}

fn private_key(pem: &[u8]) -> Option<(Algorithm, EncodingKey)> {
    let rsa = EncodingKey::from_rsa_pem(pem).ok().map(|key| (Algorithm::RS256, key));
    let curve = || EncodingKey::from_ec_pem(pem).ok().map(|key| (Algorithm::ES256, key));
    let edwards = || EncodingKey::from_ed_pem(pem).ok().map(|key| (Algorithm::EdDSA, key));
    rsa.or_else(curve).or_else(edwards)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;

    fn answered(status: u16, body: &str) -> Result<Tokens, Error> {
        let answer = outbound::Answer {
            status: StatusCode::from_u16(status).unwrap(),
            is_json: true,
            body: Bytes::from(body.to_owned()),
        };
        read(&answer, Timestamp::from_second(1000).unwrap())
    }

    #[test]
    fn b20_a_secret_with_any_letters_is_encoded_before_it_is_joined() {
        let value = basic("authd", "a:b+c%d é".as_bytes()).unwrap();
        let pair = BASE64_STANDARD
            .decode(value.to_str().unwrap().strip_prefix("Basic ").unwrap())
            .unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "authd:a%3Ab%2Bc%25d+%C3%A9", "B20");
        assert!(value.is_sensitive());
    }

    #[test]
    fn b30_an_answer_that_is_not_as_it_should_be_is_refused() {
        let good =
            r#"{"access_token": "a", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r", "id_token": "i"}"#;
        let tokens = answered(200, good).unwrap();
        assert_eq!(tokens.expires_at, Some(1060));
        for (row, body) in [
            ("html", "<html>"),
            ("type", r#"{"access_token": "a", "token_type": "mac"}"#),
            ("no type", r#"{"access_token": "a"}"#),
            ("empty", r#"{"access_token": "", "token_type": "bearer"}"#),
            ("number", r#"{"access_token": 7, "token_type": "bearer"}"#),
            (
                "negative",
                r#"{"access_token": "a", "token_type": "bearer", "expires_in": -1}"#,
            ),
            (
                "text",
                r#"{"access_token": "a", "token_type": "bearer", "expires_in": "soon"}"#,
            ),
            (
                "huge",
                r#"{"access_token": "a", "token_type": "bearer", "expires_in": 1e400}"#,
            ),
        ] {
            assert_eq!(answered(200, body).unwrap_err(), Error::Malformed, "B30 {row}");
        }
        let long = r#"{"access_token": "a", "token_type": "bearer", "expires_in": 9223372036854775807}"#;
        assert_eq!(
            answered(200, long).unwrap().expires_at,
            Some(1000 + MAX_LIFETIME),
            "B30 clamped"
        );
    }

    #[test]
    fn b22_only_invalid_grant_says_that_a_token_no_longer_counts() {
        for (status, body, expected) in [
            (400, r#"{"error": "invalid_grant"}"#, Error::Grant),
            (401, r#"{"error": "invalid_client"}"#, Error::Client),
            (400, r#"{"error": "invalid_request"}"#, Error::Refused),
            (400, "<html>", Error::Refused),
            (500, r#"{"error": "invalid_grant"}"#, Error::Status(500)),
            (503, "", Error::Status(503)),
            (429, "", Error::Status(429)),
            (302, "", Error::Refused),
        ] {
            assert_eq!(answered(status, body).unwrap_err(), expected, "B22 {status} {body}");
        }
    }

    #[test]
    fn b35_an_assertion_is_for_the_issuer_alone() {
        let pair =
            aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64_STANDARD.encode(pair)
        );
        let clock = Timestamp::from_second(1_700_000_000).unwrap();
        let text = assert(
            "authd",
            "https://idp.example.com",
            pem.as_bytes(),
            (&Random::seeded(1), clock),
        )
        .unwrap();
        let payload = text.split('.').nth(1).unwrap();
        let payload = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["aud"], "https://idp.example.com", "B35");
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("authd"), &json!("authd")));
        assert_eq!(
            assert("authd", "x", b"no key", (&Random::seeded(1), clock)).unwrap_err(),
            Error::PrivateKey
        );
    }
}
