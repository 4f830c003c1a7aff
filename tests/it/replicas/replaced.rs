//! Replicas come, go and are replaced while everything is asked, and nobody notices: no session sticks to one of them.

use super::fleet::Fleet;
use super::load::Load;
use super::promises::State::Well;

async fn story(fleet: &mut Fleet, load: &Load) {
    load.has_ended_something().await;

    println!("from one replica to five");
    fleet.grow(4).await;
    fleet.ask(1, 5).await;
    load.becomes(&[Well]);
    load.is_asked(5).await;

    println!("each is replaced");
    for number in 0..fleet.replicas.len() {
        let ended = fleet.replicas[number].world.authd.stop().await;
        assert!(ended.success(), "{ended}");
        fleet.replicas[number].start_again().await;
        load.becomes(&[Well]);
        load.is_asked(1).await;
    }

    println!("and back to one");
    for replica in &mut fleet.replicas[1..] {
        replica.world.authd.terminate();
    }
    fleet.ask(5, 1).await;
    for mut replica in fleet.replicas.split_off(1) {
        let ended = replica.world.authd.stop().await;
        assert!(ended.success(), "{ended}");
    }
    load.becomes(&[Well]);
    load.is_asked(3).await;
    load.stop(fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_come_go_and_are_replaced_without_an_unexpected_answer() {
    let mut fleet = Fleet::of(1).await;
    let load = Load::on(&fleet).await;
    tokio::join!(story(&mut fleet, &load), load.run());
}
