//! What happens when somebody sets the machine's clock while the program runs.

use tests::authd::Authd;
use tests::clock::MovableClock;
use tests::resources::{CI_KEY, Folder, ROOMY};
use tests::world::World;

const HOUR: i64 = 3600;

/// A world whose clock can be moved, with tokens that live as long as that.
async fn world(clock: &MovableClock, lifetime: &str) -> World {
    let folder = Folder::usual(&format!("{ROOMY}  tokens: {{lifetime: {lifetime}}}\n"));
    let data = tempfile::tempdir().unwrap();
    let authd = Authd::with_clock(folder.path(), data.path(), clock).await;
    World { authd, folder, data }
}

/// What a token opens: the API, the gate as a bearer token, the gate as a cookie.
async fn opens(world: &World, token: &str) -> [bool; 3] {
    [
        world.me(token).await,
        world.forward("GET", "/").bearer(token).send().await.status,
        world.forward("GET", "/").cookie(token).send().await.status,
    ]
    .map(|status| status == 200)
}

#[tokio::test]
async fn e20_expired_stays_expired_wherever_the_clock_goes() {
    let clock = MovableClock::new();
    let world = world(&clock, "30m").await;
    let before = world.admin().await.token;
    assert_eq!(opens(&world, &before).await, [true; 3], "E20 control");
    let key = world.forward("GET", "/").bearer(CI_KEY);
    assert_eq!(key.send().await.status, 200, "E20 control: a key that does not end");

    clock.set(HOUR);
    assert_eq!(
        opens(&world, &before).await,
        [false; 3],
        "E20: an hour on, it has expired"
    );
    let during = world.admin().await.token;
    assert_eq!(opens(&world, &during).await, [true; 3], "E20: people sign in");

    for (case, offset) in [("back", 0), ("an hour further back", -HOUR), ("back again", 0)] {
        clock.set(offset);
        assert_eq!(
            opens(&world, &before).await,
            [false; 3],
            "E20 {case}: expired stays expired"
        );
        assert_eq!(
            opens(&world, &during).await,
            [true; 3],
            "E20 {case}: what was begun then goes on"
        );
        let now = world.admin().await.token;
        assert_eq!(opens(&world, &now).await, [true; 3], "E20 {case}: people sign in");
        let key = world.forward("GET", "/").bearer(CI_KEY);
        assert_eq!(key.send().await.status, 200, "E20 {case}: keys go on");
    }
}

#[tokio::test]
async fn e20_nobody_is_signed_out_by_a_clock_that_is_an_hour_off() {
    let clock = MovableClock::new();
    let world = world(&clock, "12h").await;
    let mut people = vec![("before", world.admin().await.token)];
    for (case, offset) in [
        ("an hour back", -HOUR),
        ("right again", 0),
        ("an hour on", HOUR),
        ("right again", 0),
    ] {
        clock.set(offset);
        people.push((case, world.admin().await.token));
        for (since, token) in &people {
            assert_eq!(opens(&world, token).await, [true; 3], "E20 {case}: signed in {since}");
        }
    }
    let lines = world.authd.log();
    let warned = lines
        .iter()
        .filter(|line| line.contains("the machine's clock was set back"))
        .count();
    assert_eq!(warned, 2, "E20: it is said, once each time: {lines:#?}");
}
