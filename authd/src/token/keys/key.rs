//! What is one key, and what can it do?

use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Error;
use crate::token::ASSERTION_TYPE;

/// What a key signs with; a property of the key, never of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// HMAC with SHA-256 and a secret that services share.
    Hs256,
}

impl Algorithm {
    /// The name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Published and verifies; does not sign yet.
    Next {
        /// Since when it is published.
        published_at: Timestamp,
    },
    /// Signs.
    Current {
        /// Since when.
        since: Timestamp,
    },
    /// Verifies; signs no more.
    Previous {
        /// When it stops verifying; `None` where tokens never expire.
        retire_at: Option<Timestamp>,
    },
}

/// One key.
#[derive(Debug)]
pub struct Key {
    pub(super) kid: String,
    header: String,
    assertion_header: String,
    material: Arc<Material>,
    pub(super) state: State,
}

enum Material {
    Ed25519 {
        pair: Ed25519KeyPair,
        public: ParsedPublicKey,
    },
    Hmac(Box<hmac::Key>),
    /// Somebody else has the private half.
    Public {
        public: ParsedPublicKey,
        bytes: Vec<u8>,
    },
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.algorithm().name())
    }
}

impl Material {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519 { .. } | Self::Public { .. } => Algorithm::EdDsa,
            Self::Hmac(_) => Algorithm::Hs256,
        }
    }
}

impl Key {
    fn new(kid: String, material: Arc<Material>, state: State) -> Self {
        let algorithm = material.algorithm().name();
        let header = |typ: &str| format!(r#"{{"alg":"{algorithm}","typ":"{typ}","kid":"{kid}"}}"#);
        Self {
            header: header("JWT"),
            assertion_header: header(ASSERTION_TYPE),
            kid,
            material,
            state,
        }
    }

    pub(super) fn ed25519(pair: Ed25519KeyPair, state: State) -> Result<Self, Error> {
        let public = pair.public_key().as_ref();
        let kid = thumbprint(public);
        let public = ParsedPublicKey::new(&ED25519, public).map_err(|_| Error::NotMade)?;
        Ok(Self::new(kid, Arc::new(Material::Ed25519 { pair, public }), state))
    }

    /// The public half of a key that signs elsewhere; `None` where the bytes are none.
    pub fn public(bytes: &[u8], retire_at: Option<Timestamp>) -> Option<Self> {
        let public = ParsedPublicKey::new(&ED25519, bytes).ok()?;
        let bytes = bytes.to_vec();
        let kid = thumbprint(&bytes);
        let state = State::Previous { retire_at };
        Some(Self::new(kid, Arc::new(Material::Public { public, bytes }), state))
    }

    pub(in crate::token) fn hs256(secret: &[u8], state: State) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let kid = hex(hmac::sign(&key, b"authd/kid").as_ref());
        Self::new(kid, Arc::new(Material::Hmac(Box::new(key))), state)
    }

    pub(super) fn with_state(&self, state: State) -> Self {
        Self::new(self.kid.clone(), Arc::clone(&self.material), state)
    }

    /// The id in headers and in the JWKS.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.material.algorithm()
    }

    /// The 32 bytes of the public key; `None` for a shared secret, which has none.
    pub fn public_bytes(&self) -> Option<&[u8]> {
        match &*self.material {
            Material::Ed25519 { pair, .. } => Some(pair.public_key().as_ref()),
            Material::Public { bytes, .. } => Some(bytes),
            Material::Hmac(_) => None,
        }
    }

    /// The private key as PKCS#8; `None` for a shared secret, which is not ours to keep.
    pub(super) fn private_bytes(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Material::Ed25519 { pair, .. } = &*self.material else {
            return Ok(None);
        };
        let document = pair.to_pkcs8v1().map_err(|_| Error::NotMade)?;
        Ok(Some(Zeroizing::new(document.as_ref().to_vec())))
    }

    pub(in crate::token) fn header(&self) -> &str {
        &self.header
    }

    pub(in crate::token) fn assertion_header(&self) -> &str {
        &self.assertion_header
    }

    pub(in crate::token) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match &*self.material {
            Material::Ed25519 { pair, .. } => pair.try_sign(text).ok().map(|it| it.as_ref().to_vec()),
            Material::Hmac(key) => Some(hmac::sign(key, text).as_ref().to_vec()),
            Material::Public { .. } => None,
        }
    }

    pub(in crate::token) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        match &*self.material {
            Material::Ed25519 { public, .. } | Material::Public { public, .. } => {
                public.verify_sig(text, signature).is_ok()
            }
            Material::Hmac(key) => hmac::verify(key, text, signature).is_ok(),
        }
    }

    pub(super) fn is_retired(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Previous { retire_at: Some(at) } if at <= now)
    }
}

/// The first half of the key's RFC 7638 thumbprint, in hexadecimal digits.
fn thumbprint(public: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    hex(digest::digest(&digest::SHA256, jwk.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
