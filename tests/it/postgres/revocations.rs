//! Access that is ended at one replica, or with a command, is refused by every replica within five seconds: by token, session, person,
//! API key, signing key and provider. The replicas have data folders, and so signing keys, of their own.

use serde_json::{Value, json};
use tests::authd::{Authd, run};
use tests::clock::MovableClock;
use tests::http::{Request, delete, get, post};
use tests::postgres::Postgres;
use tests::resources::Folder;
use tests::wait;
use tests::world::{PASSWORD, Person, World};

use super::{TOGETHER, check, heard};

/// The resources of replicas that sign with keys of their own, with these limits of sessions.
fn folder(url: &str, sessions: &str) -> Folder {
    let shared_key = "  tokens: {algorithm: HS256, secretRef: {name: shared, key: tokens}}\n";
    let own_keys = TOGETHER.replace(shared_key, "");
    assert_ne!(own_keys, TOGETHER, "control");
    let limited = own_keys.replace("sessions: {maxPerUser: 1000}", sessions);
    let database = "  database: {postgresSecretRef: {name: shared, key: url}}\n";
    Folder::shared(&format!("{limited}{database}"), &[("url", url)])
}

async fn replica(url: &str) -> World {
    World::of(folder(url, "sessions: {maxPerUser: 1000}")).await
}

/// The id of the key that signed a token.
fn kid(token: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    header["kid"].as_str().unwrap_or_default().to_owned()
}

/// How access ends.
#[derive(Clone, Copy, Debug)]
enum By {
    Token,
    Session,
    Person,
    ApiKey,
    SigningKeyInTheDatabase,
    SigningKeyInAFolder,
    Provider,
}

/// Ends what `person` has at `one`, and returns what must be refused from then on.
async fn end(by: By, one: &World, (admin, person): (&Person, &Person), url: &str) -> String {
    let of = |request: Request, person: &Person| request.bearer(&person.token);
    let answered = match by {
        By::Token => post(one.auths("token/revoke")).json(&json!({"token": person.token})),
        By::Session => of(post(one.auths("signout")), person),
        By::Person => of(
            delete(one.public(&format!("/api/v1/users/{}/sessions", person.id))),
            admin,
        ),
        By::ApiKey => {
            let key = one.key_of(person).await;
            assert_eq!(check(one, &key).await, 200, "{by:?}: control");
            of(delete(one.auths("api_key")), person)
                .send()
                .await
                .expect("the keys go", 200);
            return key;
        }
        By::Provider => of(delete(one.public("/api/v1/providers/accounts/sessions")), admin),
        By::SigningKeyInTheDatabase => return revoked(&["--postgres", url], person),
        By::SigningKeyInAFolder => return revoked(&["--data", &one.data().display().to_string()], person),
    };
    answered.send().await.expect("it ends", 200);
    person.token.clone()
}

/// Revokes the key that signed somebody's token.
fn revoked(place: &[&str], person: &Person) -> String {
    let output = run(&[&["signing-keys", "revoke", &kid(&person.token)], place].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    person.token.clone()
}

#[tokio::test]
async fn what_is_ended_at_one_replica_is_refused_by_all_within_five_seconds() {
    let server = Postgres::start().await;
    let url = server.database();
    let (one, mut other) = (replica(&url).await, replica(&url).await);
    let admin = other.admin().await;
    let bystander = other.person("bystander", "user").await;
    let key = other.key_of(&bystander).await;
    assert_ne!(
        kid(&one.admin().await.token),
        kid(&admin.token),
        "each signs with its own key"
    );
    let published = get(one.public("/.well-known/jwks.json")).send().await.json();
    assert!(
        published.to_string().contains(&kid(&admin.token)),
        "services verify what both sign: {published}"
    );

    for world in [&one, &other] {
        heard("control", world, &bystander.token, 200).await;
        heard("control", world, &key, 200).await;
    }

    let mut ended = Vec::new();
    for by in [
        By::Token,
        By::Session,
        By::Person,
        By::ApiKey,
        By::SigningKeyInTheDatabase,
        By::SigningKeyInAFolder,
    ] {
        let person = one.person(&format!("{by:?}").to_lowercase(), "user").await;
        for world in [&one, &other] {
            heard(&format!("{by:?}: control"), world, &person.token, 200).await;
        }
        let refused = end(by, &one, (&admin, &person), &url).await;
        for world in [&one, &other] {
            heard(&format!("{by:?}: it is refused"), world, &refused, 401).await;
            assert_eq!(check(world, &bystander.token).await, 200, "{by:?}: others go on");
            assert_eq!(check(world, &key).await, 200, "{by:?}: others go on");
        }
        if matches!(
            by,
            By::Token | By::ApiKey | By::SigningKeyInTheDatabase | By::SigningKeyInAFolder
        ) {
            let again = one.sign_in(&person.email, PASSWORD).await;
            heard(&format!("{by:?}: and signs in again"), &other, &again.token, 200).await;
        }
        ended.push((by, refused));
    }
    let refused = end(By::Provider, &one, (&admin, &bystander), &url).await;
    for world in [&one, &other] {
        heard("Provider: it is refused", world, &refused, 401).await;
        assert_eq!(check(world, &key).await, 200, "Provider: a key is no session");
    }
    ended.push((By::Provider, refused));

    other.authd.kill();
    other.start_again().await;
    for (by, token) in &ended {
        assert_eq!(check(&other, token).await, 401, "{by:?}: also after a start");
    }
    let again = other.sign_in(&bystander.email, PASSWORD).await;
    heard("who signs in again is let in", &one, &again.token, 200).await;
}

#[tokio::test]
async fn a_signing_key_that_was_revoked_while_its_replica_was_down_is_refused_by_all() {
    let server = Postgres::start().await;
    let url = server.database();
    let (mut one, other) = (replica(&url).await, replica(&url).await);
    let ann = one.person("ann", "user").await;
    heard("control", &other, &ann.token, 200).await;
    one.authd.stop().await;
    assert_eq!(
        check(&other, &ann.token).await,
        200,
        "a replica that stops signed nobody out"
    );
    revoked(&["--data", &one.data().display().to_string()], &ann);
    one.start_again().await;
    for world in [&one, &other] {
        heard("its tokens are refused", world, &ann.token, 401).await;
    }
    let published = run(&["signing-keys", "list", "--postgres", &url, "--output", "json"]);
    let published: Value = serde_json::from_slice(&published.stdout).expect("it is JSON");
    let states: Vec<_> = published["keys"].as_array().into_iter().flatten().collect();
    let revoked = states
        .iter()
        .filter(|key| key["state"] == "Revoked" && key["kid"] == kid(&ann.token).as_str());
    assert_eq!((states.len(), revoked.count()), (3, 1), "{published}");
}

#[tokio::test]
async fn whoever_can_write_to_the_database_alone_signs_no_tokens() {
    let server = Postgres::start().await;
    let url = server.database();
    let (one, other) = (replica(&url).await, replica(&url).await);
    let ann = one.person("ann", "user").await;
    heard("control", &other, &ann.token, 200).await;
    // The proof was made for another time.
    let database = url.rsplit('/').next().unwrap_or_default();
    let forged = format!(
        "BEGIN; UPDATE signing_keys SET until = until + 1 WHERE kid = '{}'; UPDATE positions SET last = last + 1; COMMIT",
        kid(&ann.token)
    );
    server.sql(database, &forged);
    heard("it is not believed", &other, &ann.token, 401).await;
    assert_eq!(check(&one, &ann.token).await, 200, "whoever has the key knows better");
    wait::until("it is said", || async {
        let lines = other.authd.log();
        let said = lines
            .iter()
            .any(|line| line.contains("is not believed") && line.contains(&kid(&ann.token)));
        said.then_some(()).ok_or_else(|| lines.join("\n"))
    })
    .await;
}

const MINUTE: i64 = 60;

#[tokio::test]
async fn idle_and_absolute_limits_hold_whichever_replica_is_asked() {
    let server = Postgres::start().await;
    let url = server.database();
    let clock = MovableClock::new();
    let world = async || {
        let folder = folder(&url, "sessions: {idle: 1h, lifetime: 4h}");
        let data = tempfile::tempdir().expect("a temporary folder can be made");
        let authd = Authd::with_clock(folder.path(), data.path(), &clock).await;
        World { authd, folder, data }
    };
    let (mut one, other) = (world().await, world().await);
    let ann = one.person("ann", "user").await;
    for world in [&one, &other] {
        assert_eq!(check(world, &ann.token).await, 200, "control");
    }
    clock.set(40 * MINUTE);
    assert_eq!(check(&one, &ann.token).await, 200, "in use at one");
    // Its last uses are written down when it stops.
    one.authd.stop().await;
    clock.set(80 * MINUTE);
    assert_eq!(
        check(&other, &ann.token).await,
        200,
        "the other has not seen them for longer than that, but the first has"
    );
    clock.set(150 * MINUTE);
    assert_eq!(check(&other, &ann.token).await, 401, "nobody has seen them for an hour");
    let again = other.sign_in(&ann.email, PASSWORD).await;
    for minute in (200..=380).step_by(45) {
        clock.set(minute * MINUTE);
        assert_eq!(check(&other, &again.token).await, 200, "minute {minute}");
    }
    clock.set((150 + 4 * 60 + 1) * MINUTE);
    assert_eq!(check(&other, &again.token).await, 401, "no session is longer than that");
}
