//! The database fails over, its connections are lost, or its disk is full.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tests::disk::SmallDisk;
use tests::http::post;
use tests::postgres::Postgres;
use tests::relay::Loss;
use tests::resources::ADMIN_PASSWORD;
use tests::wait;
use tests::world::{PASSWORD, Person, World};

use super::fleet::reached;
use crate::postgres::{check, replica, sign_out};

/// Waits until signing in works, so many times in a row.
async fn works_again(world: &World, times: usize) {
    for _ in 0..times {
        wait::until("signing in works again", || async {
            let answer = world.try_password("admin@example.com", ADMIN_PASSWORD).await;
            if answer.status == 200 { Ok(()) } else { Err(answer.body) }
        })
        .await;
    }
}

/// Makes keys until it is enough, and returns those that were given.
async fn make_keys(world: &World, person: &Person, given: &Mutex<Vec<String>>, enough: &AtomicBool) {
    while !enough.load(Ordering::Relaxed) {
        let made = post(world.auths("api_key")).bearer(&person.token).attempt().await;
        let made = made.expect("a replica that runs answers");
        match made.status {
            200 => given.lock().expect("no panic").push(made.text("api_key")),
            status => assert_eq!(status, 503, "{}", made.body),
        }
    }
}

async fn all_open(world: &World, keys: &[String]) {
    for key in keys {
        wait::until("a key that was given opens", || async {
            match check(world, key).await {
                200 => Ok(()),
                status => Err(status.to_string()),
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_takes_over_with_all_that_was_acknowledged() {
    let mut first = Postgres::start().await;
    let (way, url) = reached(&first).await;
    let (one, other) = (replica(&url).await, replica(&url).await);
    let ann = one.person("ann", "user").await;
    let second = first.standby().await;
    let (given, enough) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let is_given = async |more: usize| {
        let wanted = given.lock().expect("no panic").len() + more;
        wait::until("keys are given", || async {
            let count = given.lock().expect("no panic").len();
            if count >= wanted {
                Ok(())
            } else {
                Err(format!("{count} of {wanted}"))
            }
        })
        .await;
    };
    let story = async {
        is_given(20).await;
        first.kill();
        second.promote();
        way.lead_to(second.port, Loss::Cut);
        works_again(&one, 1).await;
        works_again(&other, 1).await;
        is_given(20).await;
        enough.store(true, Ordering::Relaxed);
    };
    tokio::join!(
        story,
        make_keys(&one, &ann, &given, &enough),
        make_keys(&other, &ann, &given, &enough),
    );
    let given = given.into_inner().expect("no panic");
    for world in [&one, &other] {
        all_open(world, &given).await;
        assert_eq!(world.me(&ann.token).await, 200);
    }
    assert_eq!(sign_out(&one, &ann).await, 200, "and it takes writes");
}

#[tokio::test]
async fn connections_that_are_lost_with_or_without_a_word_are_made_anew() {
    let postgres = Postgres::start().await;
    let (way, url) = reached(&postgres).await;
    let world = replica(&url).await;
    let ann = world.person("ann", "user").await;
    for loss in [Loss::Cut, Loss::Silent] {
        // As many connections as there may be.
        let many = (0..20).map(|_| world.me(&ann.token));
        for status in futures::future::join_all(many).await {
            assert_eq!(status, 200, "control");
        }
        way.lead_to(postgres.port, loss);
        works_again(&world, 10).await;
        assert_eq!(check(&world, &ann.token).await, 200, "{loss:?}");
    }
    let signed_out = sign_out(&world, &ann).await;
    assert_eq!(signed_out, 200, "nothing was lost but connections");
    assert_eq!(check(&world, &ann.token).await, 401);
}

#[tokio::test]
async fn while_the_databases_disk_is_full_nothing_is_said_to_be_written_that_is_not() {
    let Some(disk) = SmallDisk::mount(96) else {
        // Without the right to mount there is no small disk to fill.
        return;
    };
    let mut postgres = Postgres::on(&disk).await;
    let url = postgres.database();
    let world = replica(&url).await;
    let ann = world.person("ann", "user").await;
    assert_eq!(check(&world, &ann.token).await, 200, "control");
    disk.fill();
    let mut given = Vec::new();
    // What the server had laid out before has room for some more.
    wait::within(Duration::from_secs(120), "the disk is full", || async {
        let answer = world.try_password(&ann.email, PASSWORD).await;
        match answer.status {
            200 => Err(answer.text("token")),
            503 => Ok(()),
            status => panic!("{status} {}", answer.body),
        }
    })
    .await;
    for _ in 0..10 {
        let answer = world.try_password(&ann.email, PASSWORD).await;
        match answer.status {
            200 => given.push(answer.text("token")),
            status => assert_eq!(status, 503, "{}", answer.body),
        }
    }
    assert_eq!(check(&world, &ann.token).await, 200, "whoever is known is let in");
    let ready = tests::http::get(format!("{}/readyz", world.authd.admin)).send().await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    disk.clear();
    postgres.start_again().await;
    works_again(&world, 1).await;
    for token in given {
        assert_eq!(world.me(&token).await, 200, "what was said to be written was");
    }
}
