//! An authd that meets the misbehaving provider, and what counts as let in and as kept out.

use serde_json::{Value, json};
use tests::http::{Answer, get};
use tests::openid::Client;
use tests::openid::misbehaving::{Fault, Misbehaving};
use tests::resources::{Folder, ROOMY};
use tests::wait;
use tests::window::Window;
use tests::world::World;

/// Where browsers find authd.
pub(super) const PUBLIC: &str = "http://auth.test.localhost:8000";
/// The host of [`PUBLIC`].
pub(super) const HOST: &str = "auth.test.localhost";
/// A secret with everything that has to be encoded in a header. Row B20.
pub(super) const SECRET: &str = "a:secret+of%a é client";

/// One of the characters that RFC 6749 appendix A allows, which is all that the real provider takes.
pub(super) const ASCII: &str = "a:secret+of%a client";

/// Somebody's way from the sign-in page to wherever it ended.
pub(super) struct Attempt {
    /// The window.
    pub(super) window: Window,
    /// What it got last.
    pub(super) answer: Answer,
}

impl Attempt {
    /// The session's token, if there is one.
    pub(super) fn token(&self) -> Option<&str> {
        self.window.cookie(HOST, "token")
    }
}

/// authd and the provider.
pub(super) struct Trial {
    pub(super) world: World,
    pub(super) provider: Misbehaving,
}

/// A provider of kind `oidc` that is an issuer of the misbehaving server, and a mapping that admits its `staff`.
pub(super) fn provider(name: &str, issuer: &str, more: &str) -> String {
    format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: {name}, namespace: demo}}
spec:
  displayName: Provider {name}
  oidc:
    issuer: {issuer}
    clientId: authd
    clientSecretRef: {{name: openid, key: client-secret}}
    outbound: {{allowedNetworks: [127.0.0.0/8]}}
{more}{}",
        mapping(name)
    )
}

/// Who is admitted: the claim `groups` has to say `staff`.
pub(super) fn mapping(name: &str) -> String {
    format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: {name}, namespace: demo}}
spec:
  providerRef: {{name: {name}}}
  roles: [{{role: user, whenAny: [{{claim: groups, equals: staff}}]}}]
  onNoMatch: Deny
"
    )
}

/// The field that names the client's secret.
pub(super) fn secret_ref() -> &'static str {
    "clientSecretRef: {name: openid, key: client-secret}"
}

/// The secret of the client.
pub(super) fn secret() -> String {
    let (client_secret, ascii) = (json!(SECRET), json!(ASCII));
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: openid, namespace: demo}}
stringData: {{client-secret: {client_secret}, ascii: {ascii}}}\n"
    )
}

/// The client, as the doubles know it.
pub(super) fn client() -> Client {
    Client {
        id: "authd".to_owned(),
        secret: Some(SECRET.to_owned()),
        redirect_uris: format!("{PUBLIC}/oauth/"),
    }
}

/// An authd with these providers beside the usual resources.
pub(super) async fn world(providers: &str) -> World {
    let folder = Folder::usual(ROOMY);
    folder.write("providers.yaml", &format!("{providers}{}", secret()));
    World::of(folder).await
}

/// A window that reaches authd where browsers look for it.
pub(super) fn window(world: &World) -> Window {
    Window::new(PUBLIC, &world.authd.public)
}

/// Begins with a provider, and goes wherever that leads.
pub(super) async fn attempt(world: &World, name: &str) -> Attempt {
    let mut window = window(world);
    let answer = window
        .follow(&format!("{PUBLIC}/oauth/{name}/login"), &format!("{PUBLIC}/account"))
        .await;
    Attempt { window, answer }
}

/// They have a session that works.
#[track_caller]
pub(super) fn let_in(row: &str, attempt: &Attempt) -> String {
    let token = attempt.token().map(str::to_owned);
    token.unwrap_or_else(|| panic!("{row}: not let in: {} {}", attempt.answer.status, attempt.answer.body))
}

/// They have no session, and are told no more than that it did not work.
#[track_caller]
pub(super) fn kept_out(row: &str, attempt: &Attempt) {
    let Attempt { answer, .. } = attempt;
    assert_eq!(attempt.token(), None, "{row}: let in");
    // 503 where trying again may help.
    let refused = (400..500).contains(&answer.status) || answer.status == 503;
    assert!(refused, "{row}: {} {}", answer.status, answer.body);
    assert!(
        answer.header("content-type").starts_with("text/html"),
        "{row}: {:?}",
        answer.headers
    );
    for secret in ["Provider's own words", "alice", SECRET, "eyJ", "127.0.0.1"] {
        assert!(!answer.body.contains(secret), "{row}: tells {secret}: {}", answer.body);
    }
}

impl Trial {
    /// Starts both, with a provider for each name.
    pub(super) async fn start(names: &[&str]) -> Self {
        let named: Vec<(&str, &str)> = names.iter().map(|name| (*name, "")).collect();
        Self::with(&named).await
    }

    /// Starts both, with a provider for each name, and more of its fields.
    pub(super) async fn with(named: &[(&str, &str)]) -> Self {
        let misbehaving = Misbehaving::start(client()).await;
        let providers: String = named
            .iter()
            .map(|(name, more)| provider(name, &misbehaving.issuer(name), more))
            .collect();
        Self {
            world: world(&providers).await,
            provider: misbehaving,
        }
    }

    /// Begins with a provider, and goes wherever that leads.
    pub(super) async fn attempt(&self, name: &str) -> Attempt {
        attempt(&self.world, name).await
    }

    /// Begins with a provider, and stops at the address that it sends the browser back to.
    pub(super) async fn up_to_the_callback(&self, name: &str) -> (Window, String) {
        let mut window = window(&self.world);
        let callback = format!("{PUBLIC}/oauth/{name}/callback");
        window.follow(&format!("{PUBLIC}/oauth/{name}/login"), &callback).await;
        let here = window.here.clone().map(String::from).unwrap_or_default();
        assert!(here.starts_with(&callback), "{name}: {here}");
        (window, here)
    }

    /// A sign-in that succeeds; its token.
    pub(super) async fn lets_in(&self, row: &str, name: &str) -> String {
        let token = let_in(row, &self.attempt(name).await);
        assert_eq!(self.world.me(&token).await, 200, "{row}: the session works");
        token
    }

    /// With this fault nobody gets in, nothing is written, and operators are told why; without it somebody does.
    pub(super) async fn refuses(&self, row: &str, name: &str, fault: Fault) {
        let before = self.traces(name).await;
        let told = self.lines("SignInFailed").len();
        self.provider.does(name, fault);
        kept_out(row, &self.attempt(name).await);
        assert_eq!(self.traces(name).await, before, "B40 {row}: something was written");
        wait::until(&format!("{row}: operators are told why"), || async {
            let lines = self.lines("SignInFailed");
            let is_told = lines.len() > told && lines.iter().all(|line| line["reason"].is_string());
            is_told.then_some(()).ok_or_else(|| format!("{lines:?}"))
        })
        .await;
        self.provider.does(name, Fault::None);
        self.lets_in(&format!("{row} control"), name).await;
    }

    /// How many accounts and sessions there are by the provider's sign-ins.
    async fn traces(&self, name: &str) -> (Value, usize) {
        let admin = self.world.admin().await;
        let users = get(self.world.public("/api/v1/users/"))
            .bearer(&admin.token)
            .send()
            .await
            .json();
        let signed_in = self
            .lines("SignIn")
            .iter()
            .filter(|line| line["method"] == name)
            .count();
        (users["total"].clone(), signed_in)
    }

    /// Audit lines of an event.
    pub(super) fn lines(&self, event: &str) -> Vec<Value> {
        let lines = self.world.authd.log().into_iter();
        let parsed = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        parsed.filter(|line| line["event"] == event).collect()
    }

    /// Operators are told of an event, and why: lines are written while answers are on their way already.
    pub(super) async fn tells(&self, row: &str, event: &str, reason: &str) {
        wait::until(&format!("{row}: operators are told why"), || async {
            match self.lines(event).pop() {
                Some(line) if line["reason"] == reason => Ok(()),
                last => Err(format!("{last:?}")),
            }
        })
        .await;
    }
}
