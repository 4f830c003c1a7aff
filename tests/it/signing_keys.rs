//! A signing key that leaked is taken away from a server that runs, and stays away.

use std::path::Path;
use std::process::Output;

use tests::authd::{Authd, printed, run};
use tests::http::get;
use tests::resources::{ADMIN_PASSWORD, Folder};
use tests::wait;
use tests::world::World;

/// Runs `authd signing-keys` on the data of a world.
fn signing_keys(data: &Path, arguments: &[&str]) -> Output {
    let data = data.display().to_string();
    run(&[&["signing-keys"], arguments, &["--data", &data]].concat())
}

#[tokio::test]
async fn a40_a_key_that_leaked_is_refused_at_once_and_for_good() {
    let mut world = World::usual().await;
    let admin = world.admin().await;
    let seen = async |world: &World, token: &str| {
        [
            world.me(token).await,
            world.forward("GET", "/").bearer(token).send().await.status,
            world.forward("GET", "/").cookie(token).send().await.status,
        ]
    };
    assert_eq!(seen(&world, &admin.token).await, [200; 3], "A40 control");
    let keys = printed(&signing_keys(world.data(), &["list", "--output", "json"]));
    assert_eq!(keys["keys"][0]["state"], "Current", "{keys}");
    let leaked = keys["keys"][0]["kid"].as_str().unwrap_or_default().to_owned();

    let left = printed(&signing_keys(world.data(), &["revoke", &leaked, "--output", "json"]));
    assert_eq!(left["revoked"], leaked.as_str(), "{left}");
    wait::until("A40: tokens of the key are refused", || async {
        match seen(&world, &admin.token).await {
            [401, 401, 401] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let published = get(world.public("/.well-known/jwks.json")).send().await.json();
    assert_eq!(published["keys"].as_array().map(Vec::len), Some(1), "A40: {published}");
    assert_eq!(
        published["keys"][0]["kid"], left["keys"][0]["kid"],
        "A40: another signs"
    );
    let again = world.sign_in(&admin.email, ADMIN_PASSWORD).await;
    assert_eq!(seen(&world, &again.token).await, [200; 3], "A40: control");
    wait::until("the audit line", || async {
        let lines = world.authd.log();
        let said = lines
            .iter()
            .any(|line| line.contains("\"SigningKeyRevoked\"") && line.contains(&leaked));
        said.then_some(()).ok_or_else(|| lines.join("\n"))
    })
    .await;

    world.authd.kill();
    let (folder, data) = (world.folder.path(), world.data.path());
    world.authd = Authd::start(folder, data, &[]).await;
    assert_eq!(seen(&world, &admin.token).await, [401; 3], "A40: after a crash");
    assert_eq!(
        seen(&world, &again.token).await,
        [200; 3],
        "A40: after a crash, control"
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_revoked_is_said_with_what_would_be_right() {
    let world = World::usual().await;
    let empty = Folder::empty();
    for (data, arguments, said) in [
        (world.data(), vec!["revoke", "00ff"], "there is no signing key `00ff`"),
        (world.data(), vec!["revoke", "../x"], "there is no signing key `../x`"),
        (empty.path(), vec!["revoke", "00ff"], "holds no signing keys"),
        (empty.path(), vec!["list"], "holds no signing keys"),
    ] {
        let output = signing_keys(data, &arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    let left = std::fs::read_dir(empty.path()).map(Iterator::count);
    assert_eq!(left.ok(), Some(0), "nothing is made where nothing was");
    let text = signing_keys(world.data(), &["list"]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains("  signs, since 20"), "control: {text}");
}
