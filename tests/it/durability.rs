//! What was acknowledged is there after `kill -9`, however often it comes, in the middle of writing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tests::http::{delete, get, post};
use tests::resources::ADMIN_PASSWORD;
use tests::world::{PASSWORD, World};

const KILLS: usize = 50;

/// What the program answered with success.
#[derive(Default)]
struct Acknowledged {
    accounts: Vec<String>,
    keys: Vec<String>,
    deleted: Vec<String>,
    live: Vec<String>,
    ended: Vec<String>,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.accounts.len() + self.keys.len() + self.deleted.len() + self.live.len() + self.ended.len()
    }
}

/// Writes until the program is gone, and notes what was acknowledged.
async fn write(world: &World, round: usize, acknowledged: &Mutex<Acknowledged>, gone: &AtomicBool) {
    let mut number = 0;
    let sign_in = json!({"email": "admin@example.com", "password": ADMIN_PASSWORD});
    while !gone.load(Ordering::Relaxed) {
        number += 1;
        let Ok(session) = post(world.auths("signin")).json(&sign_in).attempt().await else {
            return;
        };
        let token = session.text("token");
        if session.status != 200 {
            continue;
        }
        let email = format!("r{round}-{number}@example.com");
        let body = json!({"name": "R", "email": email, "password": PASSWORD});
        // Every other account is made by its owner.
        let made = if (number + round).is_multiple_of(2) {
            post(world.auths("signup")).json(&body)
        } else {
            post(world.auths("add")).bearer(&token).json(&body)
        };
        if let Ok(answer) = made.attempt().await
            && answer.status == 200
        {
            acknowledged.lock().expect("no panic").accounts.push(email);
        }
        for key in 0..5 {
            let Ok(made) = post(world.auths("api_key")).bearer(&token).attempt().await else {
                return;
            };
            let text = made.text("api_key");
            if made.status != 200 {
                continue;
            }
            if key % 2 == 0 {
                acknowledged.lock().expect("no panic").keys.push(text);
                continue;
            }
            let address = world.auths(&format!("api_key/{}", made.text("id")));
            if let Ok(answer) = delete(address).bearer(&token).attempt().await
                && answer.status == 200
            {
                acknowledged.lock().expect("no panic").deleted.push(text);
            }
        }
        if (number + round).is_multiple_of(2) {
            acknowledged.lock().expect("no panic").live.push(token);
        } else if let Ok(answer) = post(world.auths("signout")).bearer(&token).attempt().await
            && answer.status == 200
        {
            acknowledged.lock().expect("no panic").ended.push(token);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_crashes_lose_nothing_that_was_acknowledged() {
    let more = "  rateLimits: {signIn: {limit: 10000}}\n  sessions: {maxPerUser: 1000}\n  apiKeys: {maxPerUser: 1000}\n  signup: {enabled: true}\n";
    let mut world = World::with(more).await;
    let acknowledged = Mutex::new(Acknowledged::default());
    for round in 0..KILLS {
        let gone = AtomicBool::new(false);
        let id = i32::try_from(world.authd.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("it runs");
        let crash = async {
            // After another number of writes each time, and in the middle of the next.
            let enough = acknowledged.lock().expect("no panic").count() + 2 + round * 5 % 19;
            tests::wait::until("enough is written", || async {
                let count = acknowledged.lock().expect("no panic").count();
                if count >= enough {
                    Ok(())
                } else {
                    Err(count.to_string())
                }
            })
            .await;
            rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it runs");
            gone.store(true, Ordering::Relaxed);
        };
        tokio::join!(
            crash,
            write(&world, round, &acknowledged, &gone),
            write(&world, round + 1000, &acknowledged, &gone)
        );
        world.authd.kill();
        world.start_again().await;
    }
    let acknowledged = acknowledged.into_inner().expect("no panic");
    let counts = (
        acknowledged.accounts.len(),
        acknowledged.keys.len(),
        acknowledged.live.len(),
        acknowledged.ended.len(),
        acknowledged.deleted.len(),
    );
    assert!(
        counts.0 > 5 && counts.1 > KILLS && counts.2 > 5 && counts.3 > 5 && counts.4 > KILLS,
        "control: too little was written: {counts:?}"
    );
    let admin = world.admin().await;
    for email in &acknowledged.accounts {
        let list = get(world.public(&format!("/api/v1/users/?query={email}")))
            .bearer(&admin.token)
            .send()
            .await;
        assert!(list.body.contains(email.as_str()), "the account {email} is lost");
    }
    for key in &acknowledged.keys {
        assert_eq!(
            world.forward("GET", "/").bearer(key).send().await.status,
            200,
            "a key is lost"
        );
    }
    for key in &acknowledged.deleted {
        assert_eq!(
            world.forward("GET", "/").bearer(key).send().await.status,
            401,
            "a key that was deleted is back"
        );
    }
    for token in &acknowledged.live {
        assert_eq!(world.me(token).await, 200, "a session is lost");
    }
    for token in &acknowledged.ended {
        assert_eq!(world.me(token).await, 401, "a session that was ended is back");
    }
    let account = acknowledged.accounts.first().cloned().unwrap_or_default();
    world.sign_in(&account, PASSWORD).await;
}
