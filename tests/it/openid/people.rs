//! What people meet who sign in with a provider outside: Chromium, nginx, and the real OpenID provider.

use serde_json::json;
use tests::browser::Visit;
use tests::http::get;
use tests::openid::OpenId;
use tests::proxy::{Kind, Proxy, Site};
use tests::resources::POLICIES;
use tests::wait;
use tests::window::Window;

use super::trial::{ASCII, provider, secret};

/// Two providers, and an application behind nginx whose people they know.
struct Place {
    site: Site,
    one: OpenId,
    two: OpenId,
}

impl Place {
    async fn open(instance: &str) -> Self {
        let port = Proxy::port();
        let public = format!("http://auth.test.localhost:{port}");
        let client = |name: &str| {
            let mut client = OpenId::client("authd", ASCII, &format!("{public}/oauth/{name}/callback"));
            client["post_logout_redirect_uris"] = json!([format!("{public}/signed-out")]);
            client
        };
        let mut first = client("one");
        first["backchannel_logout_uri"] = json!(format!("{public}/oauth/one/backchannel-logout"));
        first["backchannel_logout_session_required"] = json!(true);
        let (first, second) = ([first], [client("two")]);
        let (one, two) = tokio::join!(OpenId::start("One", &first), OpenId::start("Two", &second));
        let scopes = "    scopes: [openid, email, profile, groups]\n";
        let resources = format!(
            "{}{}{}",
            provider("one", &one.issuer, scopes),
            provider("two", &two.issuer, scopes),
            secret()
        )
        .replace("key: client-secret", "key: ascii");
        let site = Site::with(Kind::Nginx, port, instance, &resources).await;
        Self { site, one, two }
    }

    /// Goes to a page of the application, and signs in with a provider on the way.
    fn arrive(&self, visit: Visit, path: &str, provider: &str, user: &str) -> Visit {
        visit
            .open(&self.site.app(path))
            .heading("Sign in")
            .choose(&format!("Continue with Provider {}", provider.to_lowercase()))
            .heading(&format!("Sign in at {provider}"))
            .fill("User", user)
            .press("Sign in")
            .at(&self.site.app(path))
    }
}

#[tokio::test]
async fn somebody_arrives_at_the_very_page_with_either_of_two_providers() {
    let place = Place::open("").await;
    let first = place.arrive(Visit::new(), "/reports/7?from=a%20b", "One", "alice");
    let signed_in = first
        .sees("alice@example.com")
        .open(&place.site.auth("/account"))
        .heading("Your account")
        .sees("Alice")
        .sees("alice@example.com")
        .picture("account-openid")
        .press("Sign out")
        .heading("Sign out at One")
        .press("Sign out")
        .heading("You are signed out");
    signed_in.done().await;
    assert_eq!(place.one.count("POST /token").await, 1, "one code, one exchange");
    place.two.put_user("bob", &json!({"email": "bob@two.test"})).await;
    place
        .arrive(Visit::new(), "/", "Two", "bob")
        .sees("bob@two.test")
        .done()
        .await;
    let denied = Visit::new()
        .open(&place.site.app("/"))
        .picture("sign-in-providers")
        .choose("Continue with Provider one")
        .press("Deny")
        .picture("sign-in-provider-denied");
    denied.open(&place.site.app("/")).heading("Sign in").done().await;
    place
        .site
        .world
        .authd
        .log()
        .iter()
        .find(|line| line.contains("SignInFailed"))
        .expect("operators are told");
}

/// A page of the application that this session opens, by its status at the gate.
async fn gate(place: &Place, token: &str) -> u16 {
    place.site.world.forward("GET", "/").bearer(token).send().await.status
}

impl Place {
    /// Signs in without a face; the session's token, and the window.
    async fn session(&self, provider: &str, user: &str) -> (String, Window) {
        let public = self.site.auth("");
        let mut window = Window::new(&public, &self.site.world.authd.public);
        window.follow(&format!("{public}/oauth/{provider}/login"), "").await;
        let answer = OpenId::sign_in(&mut window, user, &self.site.auth("/account")).await;
        let token = window.cookie("auth.test.localhost", "token").map(str::to_owned);
        (
            token.unwrap_or_else(|| panic!("{} {}", answer.status, answer.body)),
            window,
        )
    }
}

#[tokio::test]
async fn whoever_is_taken_out_of_a_group_at_the_provider_loses_what_it_opened() {
    let place = Place::open("  sessions: {revalidate: 1s}\n").await;
    let visit = place
        .arrive(Visit::new(), "/mine", "One", "alice")
        .sees("alice@example.com")
        .comes_to_see(&place.site.app("/mine"), "Continue with Provider one");
    let removal = async {
        wait::until("the provider was asked again", || async {
            match place.one.count("POST /token").await {
                0 | 1 => Err("it was not".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
        place.one.put_user("alice", &json!({"groups": []})).await;
    };
    tokio::join!(visit.done(), removal);
}

#[tokio::test]
async fn b25_what_asks_for_more_is_opened_once_the_provider_has_asked_again() {
    let place = Place::open("").await;
    let careful = "    - {paths: [/careful], allow: {roles: [user]}, signedInWithin: 1m}\n    - {paths: [/admin]";
    let policies = POLICIES.replacen("    - {paths: [/admin]", careful, 1);
    place.site.world.folder.write("policies.yaml", &policies);
    let (token, _) = place.session("one", "bob").await;
    wait::until("the policy is served", || async {
        match place
            .site
            .world
            .forward("GET", "/careful")
            .bearer(&token)
            .send()
            .await
            .status
        {
            401 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    place
        .arrive(Visit::new(), "/mine", "One", "alice")
        .sees("alice@example.com")
        .open(&place.site.app("/careful"))
        .heading("Sign in again")
        .choose("Continue with Provider one")
        .heading("Sign in at One")
        .fill("User", "alice")
        .press("Sign in")
        .at(&place.site.app("/careful"))
        .sees("alice@example.com")
        .done()
        .await;
}

#[tokio::test]
async fn b25_what_asks_for_a_stronger_sign_in_is_opened_once_the_provider_made_one() {
    let place = Place::open("").await;
    let strong = "    - {paths: [/strong], allow: {roles: [user]}, acr: [phr]}\n    - {paths: [/admin]";
    let policies = POLICIES.replacen("    - {paths: [/admin]", strong, 1);
    place.site.world.folder.write("policies.yaml", &policies);
    let (token, _) = place.session("one", "bob").await;
    wait::until("the policy is served", || async {
        let answer = place.site.world.forward("GET", "/strong").bearer(&token).send().await;
        match answer.header("www-authenticate").contains("acr_values=\"phr\"") {
            true => Ok(()),
            false => Err(answer.status.to_string()),
        }
    })
    .await;
    // A link leads nobody to a sign-in that no rule asks for, which may be a weaker one.
    let asked = get(place
        .site
        .world
        .public("/oauth/one/login?prompt=login&acr_values=weak+phr"))
    .send()
    .await;
    let parameters = url::Url::parse(asked.header("location")).expect("it is an address");
    let classes = parameters.query_pairs().find(|(name, _)| name == "acr_values");
    assert_eq!(classes.map(|(_, classes)| classes.into_owned()).as_deref(), Some("phr"));
    place
        .arrive(Visit::new(), "/mine", "One", "alice")
        .sees("alice@example.com")
        .open(&place.site.app("/strong"))
        .heading("Sign in again")
        .sees("a stronger sign-in")
        .choose("Continue with Provider one")
        .heading("Sign in at One")
        .fill("User", "alice")
        .press("Sign in")
        .at(&place.site.app("/strong"))
        .sees("alice@example.com")
        .done()
        .await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_other_session() {
    let place = Place::open("").await;
    let (elsewhere, _) = place.session("one", "alice").await;
    assert_eq!(gate(&place, &elsewhere).await, 200);
    place
        .arrive(Visit::new(), "/", "One", "alice")
        .open(&place.site.auth("/account"))
        .press("Sign out all other sessions")
        .heading("Your account")
        .open(&place.site.app("/"))
        .sees("alice@example.com")
        .done()
        .await;
    assert_eq!(gate(&place, &elsewhere).await, 401);
}

#[tokio::test]
async fn signing_out_at_the_provider_signs_out_here_and_signing_out_here_signs_out_there() {
    let place = Place::open("").await;
    let end = format!("{}/session/end", place.one.issuer);
    place
        .arrive(Visit::new(), "/mine", "One", "alice")
        .sees("alice@example.com")
        .open(&end)
        .press("Sign out")
        .heading("Signed out at One")
        .comes_to_see(&place.site.app("/mine"), "Continue with Provider one")
        .done()
        .await;
    place
        .arrive(Visit::new(), "/mine", "One", "alice")
        .open(&place.site.auth("/account"))
        .press("Sign out")
        .heading("Sign out at One")
        .press("Sign out")
        .heading("You are signed out")
        .open(&place.site.app("/mine"))
        .choose("Continue with Provider one")
        .heading("Sign in at One")
        .done()
        .await;
}

#[tokio::test]
async fn an_account_is_linked_to_a_second_provider_and_unlinked_on_its_page() {
    let place = Place::open("").await;
    place
        .two
        .put_user("carol", &json!({"email": "carol@two.test", "groups": ["staff"]}))
        .await;
    place
        .arrive(Visit::new(), "/", "One", "alice")
        .open(&place.site.auth("/account"))
        .heading("Your account")
        .choose("Link")
        .heading("Sign in at Two")
        .fill("User", "carol")
        .press("Sign in")
        .heading("Your account")
        .picture("account-linked")
        .done()
        .await;
    let (alice, _) = place.session("one", "alice").await;
    let (linked, _) = place.session("two", "carol").await;
    let whose = async |token: &str| get(place.site.world.auths("")).bearer(token).send().await.text("id");
    assert_eq!(
        whose(&alice).await,
        whose(&linked).await,
        "either way leads to the one account"
    );
}
