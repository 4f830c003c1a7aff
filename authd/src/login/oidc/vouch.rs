//! From a code to a person: what the provider vouches for, all of it checked.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::exchange::{self, Party, Tokens};
use super::id_token::{self, Expected};
use super::{Error, Peer, flavour, userinfo};
use crate::app::App;
use crate::issuer::discovery::Metadata;
use crate::issuer::jwt::{self, Token};
use crate::serving::Serving;

/// A person of whom a provider says that they are there.
#[derive(Debug)]
pub struct Vouched {
    /// The provider's id of the person.
    pub subject: String,
    /// What it says of them.
    pub claims: Map<String, Value>,
    /// What it gave.
    pub tokens: Tokens,
    /// Its own name of the session, where it has one.
    pub sid: Option<String>,
    /// When it asked them, in epoch seconds, where it says.
    pub signed_in_at: Option<i64>,
    /// In which class it puts that, where it says.
    pub acr: Option<String>,
}

/// What a code is exchanged with.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// The code.
    pub code: &'a str,
    /// The verifier of the attempt.
    pub verifier: &'a str,
    /// The nonce of the attempt.
    pub nonce: &'a str,
    /// Where the provider sent it.
    pub redirect_uri: &'a str,
    /// Since when the provider must have asked the person, in epoch seconds; `None`: whenever it did.
    pub since: Option<i64>,
    /// The classes of which the sign-in has to be one; none: any will do.
    pub acr: &'a [String],
}

/// Exchanges the code, and believes what comes if it stands every check.
///
/// # Errors
/// It does not; what came is thrown away.
pub async fn person(app: &App, serving: &Serving, peer: &Peer, code: Code<'_>) -> Result<Vouched, Error> {
    let now = app.now();
    let metadata = peer.metadata(now).await?;
    let party = peer.party(app, serving).await?;
    let grant = [
        ("grant_type", "authorization_code"),
        ("code", code.code),
        ("redirect_uri", code.redirect_uri),
        ("code_verifier", code.verifier),
    ];
    let endpoint = (&metadata.token_endpoint, peer.settings.issuer.as_str());
    let tokens = exchange::ask(&peer.outbound, endpoint, &party, &grant, (&app.random, now)).await;
    if matches!(tokens, Err(exchange::Error::Client)) && peer.is_dynamic() {
        app.store.forget_registration(&peer.name).await?;
    }
    let tokens = tokens?;
    let (subject, claims) = identified(peer, &party, &tokens, Some(code), now).await?;
    let sid = jwt::text(&claims, "sid").map(str::to_owned);
    let signed_in_at = jwt::number(&claims, "auth_time");
    let acr = id_token::class(&claims).map(str::to_owned);
    let claims = completed(peer, &metadata, &tokens.access_token, &subject, Some(claims)).await?;
    Ok(Vouched {
        claims: id_token::about_the_person(claims.unwrap_or_default()),
        subject,
        tokens,
        sid,
        signed_in_at,
        acr,
    })
}

/// What an ID token says, and what is said elsewhere of the same person; `None` where nothing is.
pub(super) async fn completed(
    peer: &Peer,
    metadata: &Metadata,
    token: &SecretString,
    subject: &str,
    claims: Option<Map<String, Value>>,
) -> Result<Option<Map<String, Value>>, Error> {
    let mut claims = claims;
    if let Some(claims) = &mut claims {
        flavour::add_groups(&peer.settings, &peer.outbound, token, claims).await?;
    }
    if let (crds::UserInfo::Always, Some(endpoint)) = (peer.settings.userinfo, &metadata.userinfo_endpoint) {
        let said = userinfo::ask(&peer.outbound, endpoint, token).await?;
        userinfo::merge(claims.get_or_insert_default(), said, subject)?;
    }
    Ok(claims)
}

/// Who the ID token is of, and what it says.
pub(super) async fn identified(
    peer: &Peer,
    party: &Party,
    tokens: &Tokens,
    code: Option<Code<'_>>,
    now: Timestamp,
) -> Result<(String, Map<String, Value>), Error> {
    let text = tokens.id_token.as_ref().ok_or(Error::NoIdToken)?;
    let token = Token::read(text.expose_secret(), &peer.settings.id_token_algorithms)?;
    let algorithm = token.algorithm;
    // A token that says that it is something else is no ID token, whoever signed it.
    if token.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("jwt")) {
        return Err(Error::NoIdToken);
    }
    let mut claims = peer.verified(token, now).await?;
    let expected = Expected {
        issuer: &flavour::issuer_of_token(&peer.settings, &claims),
        client_id: &party.id,
        nonce: code.map(|code| code.nonce),
        authentication: code.map(|_| &peer.settings.authentication),
        since: code.and_then(|code| code.since),
        acr: code.map_or(&[], |code| code.acr),
        access_token: tokens.access_token.expose_secret(),
        code: code.map(|code| code.code),
        algorithm,
        now,
    };
    let subject = id_token::check(&claims, &expected)?;
    flavour::check(&peer.settings, &mut claims)?;
    Ok((subject, claims))
}
