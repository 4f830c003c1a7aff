//! Each part is taken away in turn while everything is asked.

use tests::relay::Passage;

use super::fleet::Fleet;
use super::load::Load;
use super::promises::State::{self, DatabaseAway, ReadOnly, ReplicaEnds, Well};

/// What happens to the database.
#[derive(Clone, Copy, Debug)]
enum Outage {
    /// It is stopped.
    Stopped,
    /// It says nothing more, and nobody is told.
    Stalled,
    /// It takes no writes.
    ReadOnly,
}

impl Outage {
    fn state(self) -> State {
        match self {
            Self::Stopped | Self::Stalled => DatabaseAway,
            Self::ReadOnly => ReadOnly,
        }
    }

    async fn begin(self, fleet: &mut Fleet) {
        match self {
            Self::Stopped => fleet.postgres.stop().await,
            Self::Stalled => fleet.way.set(Passage::Stalled),
            Self::ReadOnly => {
                let database = fleet.database();
                let change = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
                fleet.postgres.sql("postgres", &change);
                fleet.postgres.break_off(database);
            }
        }
    }

    async fn end(self, fleet: &mut Fleet) {
        match self {
            Self::Stopped => fleet.postgres.start_again().await,
            Self::Stalled => fleet.way.set(Passage::Open),
            Self::ReadOnly => {
                let database = fleet.database();
                let change = format!("ALTER DATABASE {database} RESET default_transaction_read_only");
                fleet.postgres.sql("postgres", &change);
            }
        }
    }
}

async fn story(fleet: &mut Fleet, load: &Load) {
    load.has_ended_something().await;
    for number in 0..fleet.replicas.len() {
        load.becomes(&[Well, ReplicaEnds]);
        fleet.replicas[number].world.authd.kill();
        load.is_asked(1).await;
        load.becomes(&[Well]);
        load.is_asked(1).await;
        fleet.replicas[number].start_again().await;
        load.becomes(&[Well]);
        load.is_asked(1).await;
    }
    fleet.nginx.reload(&[]).await;
    load.becomes(&[Well]);
    load.is_asked(1).await;
    for outage in [Outage::Stopped, Outage::Stalled, Outage::ReadOnly] {
        let state = outage.state();
        println!("the database: {outage:?}");
        fleet.know(&load.known()).await;
        load.becomes(&[Well, state]);
        outage.begin(fleet).await;
        fleet.sign_in_is_answered(503).await;
        load.becomes(&[state]);
        fleet.is_ready().await;
        load.is_asked(1).await;
        load.becomes(&[Well, state]);
        outage.end(fleet).await;
        fleet.sign_in_is_answered(200).await;
        load.becomes(&[Well]);
        load.is_asked(1).await;
    }
    without_redis(fleet, load).await;
    load.stop(fleet).await;
}

/// Whatever becomes of Redis, each answer is as if all were well.
async fn without_redis(fleet: &mut Fleet, load: &Load) {
    println!("Redis is stopped");
    fleet.redis.kill();
    load.becomes(&[Well]);
    load.is_asked(1).await;
    fleet.redis.start_again().await;

    println!("Redis says nothing");
    fleet.way_to_redis.set(Passage::Stalled);
    load.becomes(&[Well]);
    load.is_asked(1).await;
    fleet.way_to_redis.set(Passage::Open);

    println!("Redis was emptied");
    assert_eq!(fleet.redis.says(&["FLUSHALL"]), "OK");
    load.becomes(&[Well]);
    load.is_asked(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_taken_away_every_answer_is_one_that_was_promised() {
    let mut fleet = Fleet::of(3).await;
    let load = Load::on(&fleet).await;
    tokio::join!(story(&mut fleet, &load), load.run());
}
