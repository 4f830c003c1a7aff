//! Signing in with Google, Microsoft and GitHub, as their doubles have it. Rows B31, B32, B34, K01 and K07.

use serde_json::{Value, json};
use tests::http::get;
use tests::openid::github::{self, GitHub};
use tests::openid::google::Google;
use tests::openid::microsoft::{self, Microsoft};
use tests::world::World;

use super::trial::{attempt, client, kept_out, let_in, secret_ref, world};

const OURS: &str = "72f988bf-0000-4000-8000-2d7cd011db47";
const THEIRS: &str = "00000000-0000-4000-8000-00000000e511";

/// A provider of one of these kinds, which admits everybody that it lets through as `user`.
fn service(name: &str, kind: &str, fields: &str, more: &str) -> String {
    format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: {name}, namespace: demo}}
spec:
  {kind}:
    clientId: authd
    {}
    outbound: {{allowedNetworks: [127.0.0.0/8]}}
{fields}{more}---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: {name}, namespace: demo}}
spec:
  providerRef: {{name: {name}}}
  roles:
    - {{role: user, whenAny: [{{claim: email_verified, equals: 'true'}}, {{claim: email_verified, equals: 'false'}}]}}
    - {{role: operator, whenAny: [{{claim: groups, equals: group-249}}, {{claim: groups, equals: octo/platform}}]}}
  onNoMatch: Deny
",
        secret_ref()
    )
}

/// Who somebody is here, and what roles the gate tells an application.
async fn arrives(row: &str, world: &World, name: &str) -> (Value, String) {
    let token = let_in(row, &attempt(world, name).await);
    let me = get(world.auths("")).bearer(&token).send().await.expect(row, 200).json();
    let gate = world.forward("GET", "/x").bearer(&token).send().await.expect(row, 200);
    (me, gate.header("x-auth-roles").to_owned())
}

#[tokio::test]
async fn b32_google_and_its_organisations() {
    let google = Google::start(client()).await;
    let issuer = format!("    issuer: {}\n", google.peer.url);
    let providers = [
        service("anybody", "google", &issuer, ""),
        service(
            "corporate",
            "google",
            &format!("{issuer}    hostedDomains: [corp.test]\n"),
            "",
        ),
    ];
    let world = world(&providers.concat()).await;
    google.is(Google::person("1", "alice@gmail.com"));
    let (alice, _) = arrives("an account of her own", &world, "anybody").await;
    assert_eq!(alice["email"], "alice@gmail.com");
    google.has_bare_issuer(true);
    let (same, _) = arrives("an issuer without its scheme", &world, "anybody").await;
    assert_eq!(same["id"], alice["id"]);
    google.has_bare_issuer(false);

    for (row, person) in [
        ("B32 hd missing", Google::person("2", "bob@gmail.com")),
        (
            "B32 the address fits and hd is absent",
            Google::person("3", "bob@corp.test"),
        ),
        ("B32 hd of others", Google::member("4", "bob@corp.test", "evil.test")),
    ] {
        google.is(person);
        kept_out(row, &attempt(&world, "corporate").await);
    }
    google.is(Google::member("5", "carol@corp.test", "corp.test"));
    let (carol, _) = arrives("B32 control", &world, "corporate").await;
    assert_eq!(carol["email"], "carol@corp.test");
    let asked = google.peer.seen_at("GET /o/oauth2/v2/auth");
    let scopes: Vec<_> = asked.iter().filter_map(|seen| seen.parameter("scope")).collect();
    assert!(
        scopes.iter().all(|scopes| !scopes.contains("offline_access")),
        "{scopes:?}"
    );
}

#[tokio::test]
async fn b31_k01_k07_microsoft_and_its_tenants() {
    let double = Microsoft::start(client(), microsoft::Person::alice(OURS)).await;
    let urls = format!("    loginUrl: {0}\n    graphUrl: {0}\n", double.peer.url);
    let several = format!("{urls}    tenant: common\n    allowedTenants: [{OURS}]\n");
    let every = format!("{urls}    tenant: organizations\n    allowedTenants: ['*']\n");
    let providers = [
        service("single", "microsoft", &format!("{urls}    tenant: {OURS}\n"), ""),
        service("several", "microsoft", &several, ""),
        service("every", "microsoft", &every, "  accounts: {linkVerifiedEmail: true}\n"),
    ];
    let world = world(&providers.concat()).await;
    let (alice, _) = arrives("control", &world, "single").await;
    arrives("B31 control", &world, "several").await;
    for name in ["single", "several"] {
        double.is(microsoft::Person::alice(THEIRS));
        kept_out(&format!("B31 another tenant, {name}"), &attempt(&world, name).await);
        let mut first = microsoft::Person::alice(OURS);
        first.more = json!({"ver": "1.0", "iss": format!("https://sts.windows.net/{OURS}/")});
        double.is(first);
        kept_out(&format!("B31 an issuer of v1, {name}"), &attempt(&world, name).await);
        let mut mixed = microsoft::Person::alice(OURS);
        mixed.more = json!({"iss": double.issuer(THEIRS)});
        double.is(mixed);
        kept_out(&format!("B31 iss and tid differ, {name}"), &attempt(&world, name).await);
    }

    // Somebody who runs a tenant of their own gives themselves the address of an administrator.
    let mut attacker = microsoft::Person::alice(THEIRS);
    attacker.email = "admin@example.com".to_owned();
    double.is(attacker);
    let (found, roles) = arrives("K01", &world, "every").await;
    assert_ne!(found["id"], alice["id"], "K01: a separate account");
    assert_ne!(found["email"], "admin@example.com", "K01: without the address");
    assert_eq!(roles, "user", "K01: without the rights");

    let mut many = microsoft::Person::alice(OURS);
    many.groups = (0..250).map(|number| format!("group-{number}")).collect();
    double.is(many);
    let (_, roles) = arrives("K07", &world, "single").await;
    assert_eq!(
        roles, "operator,user",
        "K07: groups that are too many for a token are fetched"
    );
}

#[tokio::test]
async fn b34_github_and_its_addresses_organisations_and_teams() {
    let double = GitHub::start(client()).await;
    let base = format!("    baseUrl: {}\n", double.peer.url);
    let ours = "  accounts: {allowedDomains: [example.com]}\n";
    let world = world(
        &[
            service("github", "github", &base, ""),
            service("ours", "github", &base, ours),
        ]
        .concat(),
    )
    .await;
    let (alice, roles) = arrives("control", &world, "github").await;
    assert_eq!(
        alice["email"], "alice@example.com",
        "the primary address, which her profile does not show"
    );
    assert_eq!(roles, "operator,user", "a team counts as a group");

    let mut renamed = github::Person::alice();
    renamed.login = "somebody-else".to_owned();
    double.is(renamed);
    assert_eq!(
        arrives("a new name", &world, "github").await.0["id"],
        alice["id"],
        "the number stays"
    );
    let mut heir = github::Person::alice();
    heir.id = 4_200_002;
    heir.emails = vec![github::Person::email("heir@example.com", true, true)];
    double.is(heir);
    let (heir, _) = arrives("whoever took the name", &world, "github").await;
    assert_ne!(heir["id"], alice["id"], "is somebody else");

    for (row, emails) in [
        (
            "B34 primary unverified",
            vec![github::Person::email("x@example.com", true, false)],
        ),
        (
            "B34 only a secondary one is verified",
            vec![
                github::Person::email("x@evil.test", true, false),
                github::Person::email("x@example.com", false, true),
            ],
        ),
        ("B34 none", Vec::new()),
    ] {
        let mut person = github::Person::alice();
        person.id = 4_200_003;
        person.emails = emails;
        double.is(person);
        kept_out(row, &attempt(&world, "ours").await);
    }
    let mut person = github::Person::alice();
    person.id = 4_200_003;
    person.emails = vec![github::Person::email("x@example.com", true, true)];
    double.is(person);
    arrives("B34 control", &world, "ours").await;
}
