//! authd registers itself at a provider (RFC 7591; OpenID Connect Dynamic Client Registration 1.0), keeps what it is called there,
//! sealed, and registers again when the provider has forgotten it.

use http::StatusCode;
use policy::secret::{expose, secret};
use policy::snapshot::ClientProof;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::exchange::Party;
use super::{Error, Peer, redirect_uri};
use crate::app::App;
use crate::issuer::discovery::Metadata;
use crate::outbound::{self, Question};
use crate::seal::Purpose;
use crate::serving::Serving;

/// Why authd is not registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The provider cannot be reached.
    #[error(transparent)]
    Outbound(#[from] outbound::Error),
    /// The provider registers nobody.
    #[error("the provider names no `registration_endpoint`: give `clientId`")]
    NoEndpoint,
    /// It does not register us.
    #[error("the provider does not register authd: it answers with status {0}")]
    Answer(u16),
}

/// What authd is called at a provider.
#[derive(Serialize, Deserialize)]
struct Registration {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    /// When the secret ends, in epoch seconds; 0: never.
    #[serde(default)]
    client_secret_expires_at: i64,
    /// Where people are sent back to, as it was registered.
    #[serde(default)]
    registered_redirect_uri: String,
}

impl Registration {
    fn party(self) -> Party {
        let proof = match (self.client_secret, self.token_endpoint_auth_method.as_deref()) {
            (Some(text), Some("client_secret_post")) => ClientProof::Post(secret(text.as_bytes())),
            (Some(text), _) => ClientProof::Basic(secret(text.as_bytes())),
            (None, _) => ClientProof::None,
        };
        Party {
            id: self.client_id,
            proof,
        }
    }
}

/// Who we are at a provider where we register ourselves; we do so where we have not yet.
///
/// # Errors
/// We are not registered.
pub async fn party(
    app: &App,
    serving: &Serving,
    peer: &Peer,
    token: Option<&policy::secret::Secret>,
) -> Result<Party, Error> {
    // One at a time: of two registrations one would be nobody's.
    let _registering = peer.registering.lock().await;
    let redirect_uri = redirect_uri(serving.settings(), &peer.name);
    if let Some(sealed) = app.store.registration(&peer.name).await?
        && let Some(json) = serving.sealing.open(Purpose::Registration, &peer.name, &sealed)
        && let Ok(known) = serde_json::from_slice::<Registration>(&json)
        && known.registered_redirect_uri == redirect_uri
        && (known.client_secret_expires_at == 0 || known.client_secret_expires_at > app.now().as_second())
    {
        return Ok(known.party());
    }
    let metadata = peer.metadata(app.now()).await?;
    let mut made = register(serving, peer, &metadata, token).await?;
    made.registered_redirect_uri = redirect_uri;
    let json = Zeroizing::new(serde_json::to_vec(&made).unwrap_or_default());
    let sealed = serving
        .sealing
        .seal(Purpose::Registration, &peer.name, &json, &app.random)?;
    app.store.keep_registration(&peer.name, &sealed, app.now()).await?;
    Ok(made.party())
}

async fn register(
    serving: &Serving,
    peer: &Peer,
    metadata: &Metadata,
    token: Option<&policy::secret::Secret>,
) -> Result<Registration, Refusal> {
    let endpoint = metadata.registration_endpoint.as_ref().ok_or(Refusal::NoEndpoint)?;
    let settings = serving.settings();
    let supported = |method: &&str| metadata.client_auth.iter().any(|known| known == method);
    let methods = ["client_secret_basic", "client_secret_post", "none"];
    let wanted = json!({
        "client_name": format!("{} (authd)", settings.display_name),
        "redirect_uris": [redirect_uri(settings, &peer.name)],
        "post_logout_redirect_uris": [format!("{}/signed-out", settings.public_url)],
        "backchannel_logout_uri": format!("{}/oauth/{}/backchannel-logout", settings.public_url, peer.name),
        "backchannel_logout_session_required": true,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": methods.iter().copied().find(supported).unwrap_or("client_secret_basic"),
        "scope": peer.settings.scopes.join(" "),
    });
    let mut question = Question::get(endpoint, outbound::Patience::Long);
    question.body = Some(("application/json", wanted.to_string()));
    if let Some(bearer) = token {
        let text = String::from_utf8_lossy(expose(bearer)).into_owned();
        let mut value = http::HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| Refusal::Answer(0))?;
        value.set_sensitive(true);
        question.headers.insert(http::header::AUTHORIZATION, value);
    }
    let answer = peer.outbound.ask(question).await?;
    let made = matches!(answer.status, StatusCode::CREATED | StatusCode::OK)
        .then(|| serde_json::from_slice::<Registration>(&answer.body).ok())
        .flatten()
        .filter(|made| !made.client_id.is_empty());
    made.ok_or(Refusal::Answer(answer.status.as_u16()))
}
