//! How does a person sign in with GitHub, which is no OpenID provider? OAuth 2 with PKCE and `state`, and then its API says who it is.

use policy::snapshot::GitHub;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::oidc::exchange::Tokens;
use super::oidc::userinfo;
use super::oidc::vouch::{Code, Vouched};
use super::oidc::{Error, exchange};
use crate::outbound::{Outbound, Question};

/// What is asked for: who it is, their addresses, organisations and teams.
const SCOPES: &str = "read:user user:email read:org";
/// Entries on a page of a list.
const PAGE: usize = 100;
/// The most pages of a list that are read.
const MAX_PAGES: usize = 20;

/// Where to send somebody.
///
/// # Errors
/// The address of the server is none.
pub fn authorize(settings: &GitHub, state: &str, challenge: &str, redirect_uri: &str) -> Result<Url, Error> {
    let mut to = endpoint(&settings.base, "/login/oauth/authorize")?;
    to.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("scope", SCOPES)
        .append_pair("state", state)
        .append_pair("code_challenge", challenge)
        .append_pair("code_challenge_method", "S256");
    Ok(to)
}

/// Exchanges the code, and asks who it is.
///
/// # Errors
/// There is nobody of whom GitHub says so.
pub async fn person(settings: &GitHub, outbound: &Outbound, code: Code<'_>) -> Result<Vouched, Error> {
    let token = token(settings, outbound, code).await?;
    known(settings, outbound, &token).await
}

/// Asks who has this token.
///
/// # Errors
/// Nobody has it any more, or GitHub does not say.
pub async fn known(settings: &GitHub, outbound: &Outbound, token: &SecretString) -> Result<Vouched, Error> {
    let user: User = ask(settings, outbound, "/user", token).await?;
    let emails: Vec<Email> = list(settings, outbound, "/user/emails", token).await?;
    let organizations: Vec<Named> = list(settings, outbound, "/user/orgs", token).await?;
    let teams: Vec<Team> = list(settings, outbound, "/user/teams", token).await?;
    Ok(Vouched {
        subject: user.id.to_string(),
        claims: claims(&user, &emails, &organizations, &teams),
        tokens: Tokens {
            access_token: token.clone(),
            expires_at: None,
            refresh_token: None,
            id_token: None,
        },
        sid: None,
        signed_in_at: None,
        acr: None,
    })
}

#[derive(Deserialize)]
struct Given {
    access_token: Option<SecretString>,
    token_type: Option<String>,
    error: Option<String>,
}

/// GitHub says with status 200 also that it gives no token.
async fn token(settings: &GitHub, outbound: &Outbound, code: Code<'_>) -> Result<SecretString, Error> {
    let secret = std::str::from_utf8(policy::secret::expose(&settings.client_secret)).unwrap_or_default();
    let fields = [
        ("client_id", settings.client_id.as_str()),
        ("client_secret", secret),
        ("code", code.code),
        ("redirect_uri", code.redirect_uri),
        ("code_verifier", code.verifier),
    ];
    let url = endpoint(&settings.base, "/login/oauth/access_token")?;
    let answer = outbound
        .ask(Question::form(&url, &fields))
        .await
        .map_err(exchange::Error::from)?;
    let given: Given = match answer.json() {
        Some(given) => given,
        None if answer.status.is_server_error() => return Err(exchange::Error::Status(answer.status.as_u16()).into()),
        None => return Err(exchange::Error::Malformed.into()),
    };
    let is_bearer = given
        .token_type
        .as_deref()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    match (given.access_token, given.error.as_deref()) {
        (Some(token), None) if is_bearer => Ok(token),
        (None, Some("bad_verification_code")) => Err(exchange::Error::Grant.into()),
        (None, Some("incorrect_client_credentials")) => Err(exchange::Error::Client.into()),
        (None, Some(_)) => Err(exchange::Error::Refused.into()),
        _ => Err(exchange::Error::Malformed.into()),
    }
}

#[derive(Deserialize)]
struct User {
    /// A number that never changes; the name may, and another may then take it.
    id: u64,
    login: String,
    name: Option<String>,
    avatar_url: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Named {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Named,
}

fn claims(user: &User, emails: &[Email], organizations: &[Named], teams: &[Team]) -> Map<String, Value> {
    let organizations = organizations.iter().map(|organization| organization.login.clone());
    let teams = teams
        .iter()
        .map(|team| format!("{}/{}", team.organization.login, team.slug));
    let groups: Vec<String> = organizations.chain(teams).collect();
    let mut claims = Map::new();
    let mut say = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    say("preferred_username", user.login.clone().into());
    say("name", user.name.clone().unwrap_or_else(|| user.login.clone()).into());
    say("groups", json!(groups));
    if let Some(picture) = &user.avatar_url {
        say("picture", picture.clone().into());
    }
    // The primary address or none: another one that is verified may be an old one.
    if let Some(primary) = emails.iter().find(|email| email.primary) {
        say("email", primary.email.clone().into());
        say("email_verified", primary.verified.into());
    }
    claims
}

async fn list<T: serde::de::DeserializeOwned>(
    settings: &GitHub,
    outbound: &Outbound,
    path: &str,
    token: &SecretString,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    for page in 1..=MAX_PAGES {
        let entries: Vec<T> = ask(
            settings,
            outbound,
            &format!("{path}?per_page={PAGE}&page={page}"),
            token,
        )
        .await?;
        let is_last = entries.len() < PAGE;
        all.extend(entries);
        if is_last {
            return Ok(all);
        }
    }
    Err(userinfo::Error::Answer(0).into())
}

async fn ask<T: serde::de::DeserializeOwned>(
    settings: &GitHub,
    outbound: &Outbound,
    path: &str,
    token: &SecretString,
) -> Result<T, Error> {
    Ok(userinfo::ask(outbound, &endpoint(&settings.api, path)?, token).await?)
}

fn endpoint(base: &str, path: &str) -> Result<Url, Error> {
    let address = format!("{base}{path}");
    Url::parse(&address).map_err(|_| crate::outbound::Error::Url(base.to_owned()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(emails: &Value) -> Map<String, Value> {
        let user =
            serde_json::from_value(json!({"id": 42, "login": "alice", "name": null, "avatar_url": null})).unwrap();
        let emails: Vec<Email> = serde_json::from_value(emails.clone()).unwrap();
        let organizations: Vec<Named> = serde_json::from_value(json!([{"login": "octo"}])).unwrap();
        let teams: Vec<Team> =
            serde_json::from_value(json!([{"slug": "platform", "organization": {"login": "octo"}}])).unwrap();
        claims(&user, &emails, &organizations, &teams)
    }

    #[test]
    fn b34_the_primary_address_counts_and_only_if_it_is_verified() {
        let email = |email: &str, primary: bool, verified: bool| json!({"email": email, "primary": primary, "verified": verified});
        for (row, emails, expected) in [
            (
                "control",
                json!([email("old@x.test", false, true), email("a@x.test", true, true)]),
                Some(("a@x.test", true)),
            ),
            (
                "B34 unverified",
                json!([email("a@x.test", true, false), email("b@x.test", false, true)]),
                Some(("a@x.test", false)),
            ),
            ("B34 secondary", json!([email("b@x.test", false, true)]), None),
            ("B34 none", json!([]), None),
        ] {
            let claims = claimed(&emails);
            let found = claims
                .get("email")
                .map(|email| (email.as_str().unwrap(), claims["email_verified"] == json!(true)));
            assert_eq!(found, expected, "{row}");
        }
        let claims = claimed(&json!([]));
        assert_eq!(claims["groups"], json!(["octo", "octo/platform"]));
        assert_eq!(claims["name"], "alice");
    }
}
