//! The providers of these stories do what they should when nothing is wrong, and the faults of the misbehaving one arrive: a plain
//! client tries, so that a refusal elsewhere is never the peer's own mistake.

use serde_json::{Value, json};
use tests::http::{Answer, get, post};
use tests::openid::github::{GitHub, Person};
use tests::openid::google::Google;
use tests::openid::keys::{Key, claims};
use tests::openid::microsoft::{self, Microsoft};
use tests::openid::misbehaving::{Fault, Misbehaving, Trouble};
use tests::openid::{Client, OpenId};
use tests::window::Window;

const CALLBACK: &str = "http://client.test/callback";
const SECRET: &str = "a secret of a client, with : and + and %";
/// Of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn client() -> Client {
    Client {
        id: "plain".to_owned(),
        secret: Some(SECRET.to_owned()),
        redirect_uris: CALLBACK.to_owned(),
    }
}

async fn metadata(issuer: &str) -> Value {
    get(format!("{issuer}/.well-known/openid-configuration"))
        .send()
        .await
        .json()
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("{name}: {object}"))
}

/// Goes to an authorization endpoint; where it ends is in the window.
async fn authorize(window: &mut Window, endpoint: &str, scope: &str, more: &[(&str, &str)]) -> Answer {
    let usual = [
        ("client_id", "plain"),
        ("response_type", "code"),
        ("redirect_uri", CALLBACK),
        ("scope", scope),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let url = url::Url::parse_with_params(endpoint, usual.iter().chain(more)).expect("an endpoint is a URL");
    window.follow(url.as_str(), CALLBACK).await
}

/// What came back with the browser.
fn returned(window: &Window, name: &str) -> String {
    let here = window.here.as_ref().expect("the window is somewhere");
    assert!(here.as_str().starts_with(CALLBACK), "{here}");
    let found = here.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn redeem(endpoint: &str, code: &str, verifier: &str) -> Answer {
    post(endpoint)
        .header("accept", "application/json")
        .form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("client_id", "plain"),
            ("client_secret", SECRET),
            ("code_verifier", verifier),
        ])
        .send()
        .await
}

async fn refresh(endpoint: &str, token: &str) -> Answer {
    post(endpoint)
        .form(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", "plain"),
            ("client_secret", SECRET),
        ])
        .send()
        .await
}

/// Signs in where nobody has to type anything, and returns the token endpoint's answer.
async fn sign_in(issuer: &str, scope: &str, more: &[(&str, &str)]) -> Value {
    let metadata = metadata(issuer).await;
    let mut window = Window::default();
    authorize(&mut window, text(&metadata, "authorization_endpoint"), scope, more).await;
    assert_eq!(returned(&window, "state"), "s");
    let code = returned(&window, "code");
    let endpoint = text(&metadata, "token_endpoint");
    redeem(endpoint, &code, "another verifier").await.expect("PKCE", 400);
    let code = {
        authorize(&mut window, text(&metadata, "authorization_endpoint"), scope, more).await;
        returned(&window, "code")
    };
    let tokens = redeem(endpoint, &code, VERIFIER).await.expect("tokens", 200).json();
    redeem(endpoint, &code, VERIFIER)
        .await
        .expect("a code is good once", 400);
    tokens
}

#[tokio::test]
async fn the_real_provider_signs_in_refreshes_rotates_registers_and_signs_out() {
    let listener = tests::peer::Peer::empty().await;
    let mut registered = OpenId::client("plain", SECRET, CALLBACK);
    registered["backchannel_logout_uri"] = json!(format!("{}/logout", listener.url));
    registered["token_endpoint_auth_method"] = json!("client_secret_post");
    let provider = OpenId::start("One", &[registered]).await;
    let metadata = metadata(&provider.issuer).await;
    let endpoint = |name: &str| text(&metadata, name).to_owned();

    let mut window = Window::default();
    let page = authorize(&mut window, &endpoint("authorization_endpoint"), "openid groups", &[]).await;
    assert!(page.body.contains("Sign in at One"), "{}", page.body);
    OpenId::sign_in(&mut window, "alice", CALLBACK).await;
    assert_eq!(returned(&window, "iss"), provider.issuer);
    let code = returned(&window, "code");
    let tokens = redeem(&endpoint("token_endpoint"), &code, VERIFIER)
        .await
        .expect("tokens", 200)
        .json();
    let id_token = claims(text(&tokens, "id_token"));
    assert_eq!(id_token["groups"], json!(["staff", "developers"]));
    assert_eq!(id_token["nonce"], "n");

    provider.put_user("alice", &json!({"groups": ["staff"]})).await;
    provider.rotate_keys().await;
    let tokens = refresh(&endpoint("token_endpoint"), text(&tokens, "refresh_token"))
        .await
        .expect("refresh", 200)
        .json();
    assert_eq!(claims(text(&tokens, "id_token"))["groups"], json!(["staff"]));

    provider.fail("/token", 503, 0, 1).await;
    let token = text(&tokens, "refresh_token");
    refresh(&endpoint("token_endpoint"), token).await.expect("a fault", 503);
    provider.delete_user("alice").await;
    let gone = refresh(&endpoint("token_endpoint"), token).await.expect("nobody", 400);
    assert_eq!(gone.text("error"), "invalid_grant");
    assert_eq!(provider.count("POST /token").await, 4);

    let body = json!({"redirect_uris": [CALLBACK]});
    let made = post(endpoint("registration_endpoint"))
        .json(&body)
        .send()
        .await
        .expect("registration", 201);
    let id = made.text("client_id");
    let ask = async || {
        let query = [
            ("client_id", &*id),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid"),
        ];
        let url = url::Url::parse_with_params(&endpoint("authorization_endpoint"), query).expect("a URL");
        Window::default().open(url.as_str()).await
    };
    let location = ask().await.header("location").to_owned();
    assert!(
        location.contains("error=invalid_request") && location.contains("PKCE"),
        "{location}"
    );
    provider.forget_clients().await;
    ask().await.expect("a client that is forgotten", 400);

    let hint = text(&tokens, "id_token").to_owned();
    let page = window
        .follow(
            &format!("{}?id_token_hint={hint}", endpoint("end_session_endpoint")),
            "",
        )
        .await;
    let xsrf = page.field("xsrf").expect("the provider asks");
    window.here = window
        .here
        .map(|here| here.join("/session/end/confirm").expect("a path"));
    window.submit(&[("xsrf", &xsrf), ("logout", "yes")], "").await;
    let told = tests::wait::until("the client is told", || async {
        let seen = listener.seen_at("POST /logout");
        seen.first()
            .and_then(|seen| seen.field("logout_token"))
            .ok_or(format!("{:?}", provider.errors()))
    })
    .await;
    assert_eq!(claims(&told)["sub"], "alice");
}

#[tokio::test]
async fn googles_double_is_as_its_pages_say() {
    let google = Google::start(client()).await;
    let issuer = google.peer.url.clone();
    let tokens = sign_in(&issuer, "openid email", &[]).await;
    let id_token = claims(text(&tokens, "id_token"));
    assert_eq!(
        (&id_token["hd"], &id_token["email_verified"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(tokens.get("refresh_token"), None);

    google.is(Google::member("1002", "bob@corp.test", "corp.test"));
    google.has_bare_issuer(true);
    let offline = [("access_type", "offline"), ("prompt", "consent")];
    let tokens = sign_in(&issuer, "openid", &offline).await;
    let id_token = claims(text(&tokens, "id_token"));
    assert_eq!(id_token["hd"], "corp.test");
    assert_eq!(text(&id_token, "iss"), issuer.trim_start_matches("http://"));
    let metadata = metadata(&issuer).await;
    let token = text(&tokens, "refresh_token");
    for _ in 0..2 {
        let again = refresh(text(&metadata, "token_endpoint"), token)
            .await
            .expect("refresh", 200)
            .json();
        assert_eq!(again.get("refresh_token"), None, "it stays the same");
    }
    let endpoint = text(&metadata, "authorization_endpoint");
    let answer = authorize(&mut Window::default(), endpoint, "openid offline_access", &[]).await;
    answer.expect("no such scope", 400);
}

#[tokio::test]
async fn microsofts_double_is_as_its_pages_say() {
    let tenant = "72f988bf-0000-4000-8000-2d7cd011db47";
    let double = Microsoft::start(client(), microsoft::Person::alice(tenant)).await;
    let common = format!("{}/common/v2.0", double.peer.url);
    assert_eq!(
        metadata(&common).await["issuer"],
        format!("{}/{{tenantid}}/v2.0", double.peer.url)
    );
    let tokens = sign_in(&common, "openid offline_access", &[]).await;
    let id_token = claims(text(&tokens, "id_token"));
    assert_eq!(text(&id_token, "iss"), double.issuer(tenant));
    assert_eq!(id_token.get("email_verified"), None);
    assert_eq!(id_token["groups"].as_array().map(Vec::len), Some(1));

    let mut person = microsoft::Person::alice(tenant);
    person.groups = (0..250).map(|number| format!("group-{number}")).collect();
    double.is(person);
    let tokens = sign_in(&common, "openid", &[]).await;
    let id_token = claims(text(&tokens, "id_token"));
    assert_eq!(
        (id_token.get("groups"), &id_token["_claim_names"]["groups"]),
        (None, &json!("src1"))
    );
    let graph = |path: &str| get(format!("{}{path}", double.peer.url));
    let token = text(&tokens, "access_token");
    let mut path = "/v1.0/me/transitiveMemberOf".to_owned();
    let mut found = 0;
    while !path.is_empty() {
        let page = graph(&path).bearer(token).send().await.expect("a page", 200).json();
        found += page["value"].as_array().map_or(0, Vec::len);
        path = page["@odata.nextLink"]
            .as_str()
            .unwrap_or_default()
            .replace(&double.peer.url, "");
    }
    assert_eq!(found, 250);
    graph("/v1.0/me/transitiveMemberOf")
        .send()
        .await
        .expect("without a token", 401);
}

#[tokio::test]
async fn githubs_double_is_as_its_pages_say() {
    let github = GitHub::start(client()).await;
    let at = |path: &str| format!("{}{path}", github.peer.url);
    let mut window = Window::default();
    authorize(&mut window, &at("/login/oauth/authorize"), "user:email read:org", &[]).await;
    let code = returned(&window, "code");
    let endpoint = at("/login/oauth/access_token");
    let wrong = redeem(&endpoint, &code, "another verifier")
        .await
        .expect("errors have status 200", 200);
    assert_eq!(wrong.text("error"), "bad_verification_code");
    authorize(&mut window, &at("/login/oauth/authorize"), "user:email read:org", &[]).await;
    let tokens = redeem(&endpoint, &returned(&window, "code"), VERIFIER)
        .await
        .expect("tokens", 200);
    assert_eq!(
        (tokens.text("token_type"), tokens.text("scope")),
        ("bearer".to_owned(), "user:email,read:org".to_owned())
    );
    let token = tokens.text("access_token");
    let ask = async |path: &str| {
        get(at(&format!("/api/v3{path}")))
            .bearer(&token)
            .header("user-agent", "plain")
            .send()
            .await
    };
    assert_eq!(ask("/user").await.json()["id"], 4_200_001);
    assert_eq!(ask("/user").await.json()["email"], Value::Null);
    assert_eq!(ask("/user/emails").await.json()[1]["verified"], true);
    assert_eq!(ask("/user/teams").await.json()[0]["organization"]["login"], "octo");
    let unnamed = get(at("/api/v3/user")).bearer(&token).send().await;
    assert_eq!(unnamed.status, 403, "a program says who it is");

    let mut person = Person::alice();
    person.organizations = (0..45).map(|number| format!("org-{number}")).collect();
    github.is(person);
    let first = ask("/user/orgs").await;
    assert_eq!(first.json().as_array().map(Vec::len), Some(30));
    assert!(first.header("link").contains("page=2") && first.header("link").contains("rel=\"next\""));
    assert_eq!(ask("/user/orgs?page=2").await.json().as_array().map(Vec::len), Some(15));
}

#[tokio::test]
async fn the_misbehaving_provider_does_what_it_is_told_and_no_more() {
    let provider = Misbehaving::start(client()).await;
    let issuer = provider.issuer("a");
    let honest = sign_in(&issuer, "openid", &[]).await;
    let id_token = claims(text(&honest, "id_token"));
    assert_eq!((text(&id_token, "iss"), text(&id_token, "sub")), (&*issuer, "alice"));
    assert_eq!(id_token["sid"], provider.session("a"));

    provider.does("a", Fault::claim("sub", Value::Null));
    let tokens = sign_in(&issuer, "openid", &[]).await;
    assert_eq!(claims(text(&tokens, "id_token")).get("sub"), None);
    provider.does("a", Fault::id_token(|draft| draft.signed_with(Key::rsa("other"))));
    let tokens = sign_in(&issuer, "openid", &[]).await;
    assert!(text(&tokens, "id_token").len() > text(&honest, "id_token").len());
    assert_eq!(
        claims(text(&sign_in(&provider.issuer("b"), "openid", &[]).await, "id_token"))["sub"],
        "alice"
    );

    provider.does("a", Fault::At("/keys", Trouble::Huge));
    assert_eq!(get(format!("{issuer}/keys")).send().await.body.len(), 10 << 20);
    provider.does(
        "a",
        Fault::At("/keys", Trouble::Redirect(307, "http://elsewhere.test/".to_owned())),
    );
    get(format!("{issuer}/keys")).send().await.expect("a redirect", 307);
    provider.does("a", Fault::metadata_member("issuer", json!("http://elsewhere.test")));
    assert_eq!(metadata(&issuer).await["issuer"], "http://elsewhere.test");
    assert_eq!(provider.seen("a", "GET /keys").len(), 2);
}
