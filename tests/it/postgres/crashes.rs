//! Ten thousand writes, and a crash of a replica or of the database now and then: nothing that was acknowledged is lost.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::join_all;
use rustix::process::{Pid, Signal, kill_process};
use tests::http::{delete, post};
use tests::postgres::Postgres;
use tests::wait;
use tests::world::{Person, World};

use super::{check, heard, replica};

const WRITES: usize = 10_000;
const CRASHES: usize = 10;
/// How many write at each replica.
const WRITERS: usize = 4;
/// How many keys each of them keeps.
const KEPT: usize = 8;

/// Somebody who makes keys and deletes them, and what they were told.
struct Writer {
    person: Person,
    /// Made and not deleted, by id.
    kept: VecDeque<(String, String)>,
    deleted: Vec<String>,
}

impl Writer {
    async fn at(world: &World, name: &str) -> Self {
        Self {
            person: world.person(name, "user").await,
            kept: VecDeque::new(),
            deleted: Vec::new(),
        }
    }

    /// Writes until it is enough.
    async fn write(&mut self, world: &World, written: &AtomicUsize, enough: &AtomicBool) {
        while !enough.load(Ordering::Relaxed) {
            let acknowledged = if self.kept.len() < KEPT {
                self.make(world).await
            } else {
                self.delete(world).await
            };
            if acknowledged {
                written.fetch_add(1, Ordering::Relaxed);
            } else {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn make(&mut self, world: &World) -> bool {
        let request = post(world.auths("api_key")).bearer(&self.person.token);
        let Ok(made) = request.attempt().await else {
            return false;
        };
        if made.status == 200 {
            self.kept.push_back((made.text("id"), made.text("api_key")));
            return true;
        }
        assert_eq!(made.status, 503, "{}", made.body);
        false
    }

    /// Without an answer it is not known whether the key is there.
    async fn delete(&mut self, world: &World) -> bool {
        let Some((id, text)) = self.kept.pop_front() else {
            return false;
        };
        let request = delete(world.auths(&format!("api_key/{id}"))).bearer(&self.person.token);
        let Ok(deleted) = request.attempt().await else {
            return false;
        };
        if deleted.status == 200 {
            self.deleted.push(text);
            return true;
        }
        assert_eq!(deleted.status, 503, "{}", deleted.body);
        false
    }

    async fn finds_everything(&self, world: &World) {
        for (id, text) in &self.kept {
            assert_eq!(check(world, text).await, 200, "the key {id} is lost");
        }
        for text in &self.deleted {
            let status = check(world, text).await;
            // After so many wrong keys an address has to wait.
            assert!([401, 429].contains(&status), "a key that was deleted is back: {status}");
        }
    }
}

async fn are_written(written: &AtomicUsize, so_many: usize) {
    wait::until("enough is written", || async {
        let count = written.load(Ordering::Relaxed);
        if count >= so_many {
            Ok(())
        } else {
            Err(count.to_string())
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_acknowledged_writes_no_crash_loses_one() {
    let mut server = Postgres::start().await;
    let url = server.database();
    let (one, mut other) = (replica(&url).await, replica(&url).await);
    let mut at_one = Vec::new();
    let mut at_other = Vec::new();
    for number in 0..WRITERS {
        at_one.push(Writer::at(&one, &format!("one-{number}")).await);
        at_other.push(Writer::at(&one, &format!("other-{number}")).await);
    }
    let written = AtomicUsize::new(0);
    for round in 1..=CRASHES {
        let enough = AtomicBool::new(false);
        let crash = async {
            are_written(&written, round * WRITES / CRASHES).await;
            if round % 2 == 0 {
                server.kill();
                server.start_again().await;
            } else {
                let id = i32::try_from(other.authd.id()).ok().and_then(Pid::from_raw);
                kill_process(id.expect("it runs"), Signal::KILL).expect("it runs");
            }
            enough.store(true, Ordering::Relaxed);
        };
        let ones = at_one.iter_mut().map(|writer| writer.write(&one, &written, &enough));
        let others = at_other
            .iter_mut()
            .map(|writer| writer.write(&other, &written, &enough));
        tokio::join!(crash, join_all(ones), join_all(others));
        if round % 2 == 1 {
            other.authd.kill();
            other.start_again().await;
        }
    }
    for (from, to) in [(&one, &other), (&other, &one)] {
        let last = from.key_of(&at_one[0].person).await;
        heard("the last key", to, &last, 200).await;
    }
    for world in [&one, &other] {
        for writer in at_one.iter().chain(&at_other) {
            writer.finds_everything(world).await;
        }
    }
}
