//! Is this a session token that we made, unchanged and still good?
//!
//! [`Tokens`] signs and verifies for one instance: its issuer, its audience, its [`KeyRing`]. A token is a JWS of exactly
//! three parts (RFC 7515) whose claims are ours alone, so everything that we would not have written is refused. The key
//! chooses the algorithm, never the token (RFC 8725 section 3.1).
//!
//! Not here: whether the session was revoked ([`crate::shared`]), what the person may do, tokens of other issuers.

pub mod jwks;
pub mod keys;
mod parse;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use keys::State;
pub use keys::{Algorithm, Key, KeyRing};

/// How far two clocks may differ, in seconds: applied to `exp`, `iat` and `nbf`.
pub const SKEW_SECONDS: i64 = 60;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The `typ` of an assertion, which is that of no other token (RFC 8725 section 3.11).
pub const ASSERTION_TYPE: &str = "authd-assertion+jwt";

/// What a session token says, besides its issuer and audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The account (`sub`, and `id` for clients of the seed).
    pub account: Uuid,
    /// This token (`jti`).
    pub token: Uuid,
    /// The session that it belongs to (`sid`).
    pub session: Uuid,
    /// Issued at (`iat`), in seconds since the epoch.
    pub issued_at: i64,
    /// Expires at (`exp`), in seconds since the epoch; `None` only where tokens never expire.
    pub expires_at: Option<i64>,
}

/// How long tokens live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// A token without `exp` is refused.
    Limited(SignedDuration),
    /// A token carries no `exp`, and one without is accepted.
    Unlimited,
}

/// Why a token is refused; a fact for the audit line, never for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`MAX_TOKEN_BYTES`], or a header longer than a kibibyte.
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of strict base64url holding JSON objects of the right types.
    #[error("the token is not in the form of a session token")]
    Malformed,
    /// A member occurs twice.
    #[error("a member occurs twice")]
    DuplicateMember,
    /// The header has a member that we never write: `jwk`, `jku`, `x5u`, `crit`, `b64`, `zip` and all others.
    #[error("the header has a member that is not accepted")]
    ForbiddenHeader,
    /// `typ` is absent or of another kind of token.
    #[error("the token is of another type")]
    WrongType,
    /// `alg` is none that we sign with.
    #[error("the algorithm is not accepted")]
    UnknownAlgorithm,
    /// No key of that `kid`, or no `kid` and not exactly one key that fits.
    #[error("the key is not known")]
    UnknownKey,
    /// `alg` is not the algorithm of the key.
    #[error("the algorithm is not the one of the key")]
    WrongAlgorithm,
    /// The signature is not one of the key over these bytes.
    #[error("the signature does not fit")]
    BadSignature,
    /// A claim that every session token has is absent.
    #[error("a claim is missing")]
    MissingClaim,
    /// A claim that no session token has: `cnf`, `events`, `nonce`.
    #[error("the token carries a claim of another kind of token")]
    ForbiddenClaim,
    /// An id is not a UUID as we write it, or `id` is not `sub`.
    #[error("an id in the token is not one of ours")]
    BadId,
    /// `iss` is another.
    #[error("the issuer is another")]
    WrongIssuer,
    /// `aud` is another.
    #[error("the audience is another")]
    WrongAudience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `iat` or `nbf` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The ring holds no key that signs.
    #[error("there is no key to sign with")]
    NoSigningKey,
}

impl Error {
    /// The reason as metrics and audit lines name it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "TooLong",
            Self::Malformed => "Malformed",
            Self::DuplicateMember => "DuplicateMember",
            Self::ForbiddenHeader => "ForbiddenHeader",
            Self::WrongType => "WrongType",
            Self::UnknownAlgorithm => "UnknownAlgorithm",
            Self::UnknownKey => "UnknownKey",
            Self::WrongAlgorithm => "WrongAlgorithm",
            Self::BadSignature => "BadSignature",
            Self::MissingClaim => "MissingClaim",
            Self::ForbiddenClaim => "ForbiddenClaim",
            Self::BadId => "BadId",
            Self::WrongIssuer => "WrongIssuer",
            Self::WrongAudience => "WrongAudience",
            Self::Expired => "Expired",
            Self::NotYetValid => "NotYetValid",
            Self::NoSigningKey => "NoSigningKey",
        }
    }
}

/// Signs and verifies the session tokens of one instance; cheap to make anew when its settings change.
#[derive(Clone, Debug)]
pub struct Tokens {
    keys: Arc<KeyRing>,
    issuer: Arc<str>,
    audience: Arc<str>,
    lifetime: Lifetime,
}

impl Tokens {
    /// Tokens of `issuer` (the public URL) for `audience`, both compared byte for byte.
    pub fn new(keys: Arc<KeyRing>, issuer: &str, audience: &str, lifetime: Lifetime) -> Self {
        Self {
            keys,
            issuer: issuer.into(),
            audience: audience.into(),
            lifetime,
        }
    }

    /// The claims of a new token that is issued `now` and expires when the lifetime says.
    pub fn claims(&self, account: Uuid, session: Uuid, token: Uuid, now: Timestamp) -> Claims {
        let issued_at = now.as_second();
        Claims {
            account,
            token,
            session,
            issued_at,
            expires_at: match self.lifetime {
                Lifetime::Limited(lifetime) => Some(issued_at.saturating_add(lifetime.as_secs())),
                Lifetime::Unlimited => None,
            },
        }
    }

    /// The token that says `claims`, signed by the current key; `NoSigningKey` only where every key was revoked and no
    /// new one could be made.
    pub fn sign(&self, claims: &Claims) -> Result<String, Error> {
        let ring = self.keys.load();
        let key = ring.signing().ok_or(Error::NoSigningKey)?;
        let payload = parse::payload(claims, &self.issuer, &self.audience);
        signed(key, key.header(), &payload)
    }

    /// An assertion with these claims, signed by the current key; `NoSigningKey` also where a secret is shared.
    pub fn sign_assertion(&self, claims: &str) -> Result<String, Error> {
        let ring = self.keys.load();
        let key = ring.signing().filter(|key| key.algorithm() == Algorithm::EdDsa);
        let key = key.ok_or(Error::NoSigningKey)?;
        signed(key, key.assertion_header(), claims)
    }

    /// How long an assertion with so many bytes of claims is.
    pub fn assertion_length(&self, claims: usize) -> usize {
        let header = self.keys.load().signing().map_or(0, |key| key.assertion_header().len());
        length([header, claims, parse::MAX_SIGNATURE_BYTES])
    }

    /// How long a token is, in bytes: all are equally long, until the year 2286.
    pub fn longest(&self) -> usize {
        let far = 9_999_999_999;
        let claims = Claims {
            account: Uuid::nil(),
            token: Uuid::nil(),
            session: Uuid::nil(),
            issued_at: far,
            expires_at: Some(far),
        };
        let payload = parse::payload(&claims, &self.issuer, &self.audience).len();
        let header = self.keys.load().signing().map_or(0, |key| key.header().len());
        length([header, payload, parse::MAX_SIGNATURE_BYTES])
    }

    /// What `token` says, if we made it, nobody changed it, and it is good at `now`.
    ///
    /// Revocation is not asked here: it may change between two looks at the same token.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Error> {
        let parts = parse::Parts::split(token)?;
        let mut buffer = [0; parse::MAX_HEADER_BYTES];
        let header = parse::header(parts.header, &mut buffer)?;
        if header.kind != Some("JWT") {
            return Err(Error::WrongType);
        }
        let ring = self.keys.load();
        let key = ring.verifying(header.algorithm, header.kid, now)?;
        self.judge(&parse::claims(&opened(&parts, key)?)?, now)
    }

    fn judge(&self, said: &parse::Said<'_>, now: Timestamp) -> Result<Claims, Error> {
        if said.issuer != &*self.issuer {
            return Err(Error::WrongIssuer);
        }
        if said.audience != &*self.audience {
            return Err(Error::WrongAudience);
        }
        let now = now.as_second();
        let latest = now.saturating_add(SKEW_SECONDS);
        if said.claims.issued_at > latest || said.not_before.is_some_and(|from| from > latest) {
            return Err(Error::NotYetValid);
        }
        match (said.claims.expires_at, self.lifetime) {
            (None, Lifetime::Limited(_)) => Err(Error::MissingClaim),
            (Some(at), _) if now >= at.saturating_add(SKEW_SECONDS) => Err(Error::Expired),
            _ => Ok(said.claims),
        }
    }
}

/// Header, payload and signature in the compact form (RFC 7515 section 3.1).
fn signed(key: &keys::Key, header: &str, payload: &str) -> Result<String, Error> {
    let mut token = String::with_capacity(640);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes()).ok_or(Error::NoSigningKey)?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// How long the compact form of three parts is.
fn length(parts: [usize; 3]) -> usize {
    let encoded = parts.map(|bytes| base64::encoded_len(bytes, false).unwrap_or(bytes * 2));
    encoded.iter().sum::<usize>() + 2
}

/// What was signed, if this key signed it.
fn opened(parts: &parse::Parts<'_>, key: &Key) -> Result<Vec<u8>, Error> {
    let mut buffer = [0; parse::MAX_SIGNATURE_BYTES];
    let signature = parse::decode(parts.signature, &mut buffer)?;
    if !key.verifies(parts.signed, signature) {
        return Err(Error::BadSignature);
    }
    URL_SAFE_NO_PAD.decode(parts.payload).map_err(|_| Error::Malformed)
}

/// What a text says that somebody signed with this secret (RFC 7515), as strictly as session tokens are read. Who signed it, for whom
/// and until when is not asked, so nothing but fuzzers and collections of signatures call it.
///
/// # Errors
/// It is not signed with the secret, or in another form.
pub fn fuzz_signed(secret: &[u8], token: &str) -> Result<Vec<u8>, Error> {
    let parts = parse::Parts::split(token)?;
    let mut buffer = [0; parse::MAX_HEADER_BYTES];
    let key = Key::hs256(
        secret,
        State::Current {
            since: Timestamp::UNIX_EPOCH,
        },
    );
    if parse::header(parts.header, &mut buffer)?.algorithm != key.algorithm() {
        return Err(Error::WrongAlgorithm);
    }
    opened(&parts, &key)
}
