//! Faults between the operator and the API server: answers that are lost, refusals, watches that lie.

use std::time::Duration;

use tests::cluster::fault_proxy::{Call, Fault, FaultProxy};
use tests::cluster::operator::{Operator, program};
use tests::wait;

use super::{HASH, INSTANCE, Story, hosts, open};

const MORE: &str = "
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: more, namespace: HOME}
spec: {hosts: [more.example.com], rules: [{allow: {signedIn: true}}]}
---
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: broken, namespace: HOME}
spec: {hosts: [broken.example.com], cedar: 'permit (nobody);'}
";

async fn through(story: &Story, proxy: &FaultProxy, more: &[&str]) -> Operator {
    Operator::start_by(&program(), proxy.kubeconfig(), &[&story.home], more).await
}

/// Everything is made from nothing while `rule` holds, until it has disturbed so many calls; after it, all is as it would have been.
async fn heals(story: &Story, row: &str, rule: impl FnMut(&Call) -> Fault + Send + 'static, disturbed: usize) {
    let proxy = FaultProxy::start(&story.cluster).await;
    proxy.does(rule);
    let operator = through(story, &proxy, &["--no-leader-election", "--resync", "10"]).await;
    story.apply(&INSTANCE.replace("secretName: ci", HASH)).await;
    story.apply(MORE).await;
    wait::until(&format!("{row}: {disturbed} calls are disturbed"), || async {
        let faults = proxy.faults();
        if faults >= disturbed {
            Ok(())
        } else {
            Err(faults.to_string())
        }
    })
    .await;
    proxy.is_honest();
    story
        .publishes(row, |engine| {
            hosts(engine) == ["app.example.com", "broken.example.com", "more.example.com"]
        })
        .await;
    story.says("accesspolicy/broken", "Ready", "False InvalidCedar").await;
    story
        .exist(&["deployment/main", "role/main", "service/main", "networkpolicy/main"])
        .await;
    story.settled(&operator).await;
    // What a watch left out is found when all is listed again.
    wait::until(row, || async {
        let (_, said) = story.end().await;
        let known = story.undisturbed.get_or_init(|| said.clone());
        if said == *known {
            Ok(())
        } else {
            Err(format!("{said:#?}"))
        }
    })
    .await;
    drop(operator);
    story
        .kubectl(&["delete", "authds,authproviders,apikeys,accesspolicies", "--all"])
        .await;
    story
        .kubectl(&[
            "delete",
            "secrets,deployments,services,roles",
            "-l",
            "authd.dev/instance=main",
        ])
        .await;
}

#[tokio::test]
async fn f02_f08_calls_that_fail_are_made_again_until_all_is_as_it_should_be() {
    let story = Story::begin().await;
    heals(&story, "undisturbed", |_| Fault::None, 0).await;
    let one_in = |share: usize, fault: Fault| {
        move |call: &Call| {
            if call.is_write() && call.number.is_multiple_of(share) {
                fault
            } else {
                Fault::None
            }
        }
    };
    heals(
        &story,
        "F03: every second answer is lost",
        one_in(2, Fault::LoseTheAnswer),
        6,
    )
    .await;
    let mut seen = std::collections::BTreeSet::new();
    let once = move |call: &Call| {
        if call.is_write() && seen.insert(call.path.clone()) {
            Fault::Answer(409)
        } else {
            Fault::None
        }
    };
    heals(&story, "F04: every write fails once with 409", once, 8).await;
    heals(&story, "F07: 429", one_in(1, Fault::Answer(429)), 6).await;
    heals(&story, "F08: 503 at 50 %", one_in(2, Fault::Answer(503)), 6).await;
    heals(&story, "F08: 500 at 100 %", one_in(1, Fault::Answer(500)), 6).await;
    let statuses = |call: &Call| {
        if call.is_write() && call.path.contains("/status") {
            Fault::Answer(500)
        } else {
            Fault::None
        }
    };
    heals(&story, "F47: statuses are refused", statuses, 6).await;
}

#[tokio::test]
async fn f09_f13_watches_that_lie_are_found_out() {
    let story = Story::begin().await;
    heals(&story, "undisturbed", |_| Fault::None, 0).await;
    let watches = |fault: Fault| move |call: &Call| if call.is_watch() { fault } else { Fault::None };
    // A watch that was begun with a fault keeps it until all is listed again: one fault for each kind, before anything is applied.
    let (every, late) = (10, Duration::from_secs(1));
    heals(
        &story,
        "F09: every second event is dropped",
        watches(Fault::DropEvents(2)),
        every,
    )
    .await;
    heals(&story, "F10: every event comes twice", watches(Fault::Repeat), every).await;
    heals(
        &story,
        "F10: every event comes late",
        watches(Fault::Delay(late)),
        every,
    )
    .await;
    heals(&story, "F13: 410", watches(Fault::Answer(410)), 3 * every).await;
}

#[tokio::test]
async fn f11_watches_that_are_closed_are_resumed_without_listing_again() {
    let story = Story::begin().await;
    let proxy = FaultProxy::start(&story.cluster).await;
    proxy.does(|call| {
        if call.is_watch() {
            Fault::Close(Duration::from_millis(200))
        } else {
            Fault::None
        }
    });
    let operator = through(&story, &proxy, &["--no-leader-election"]).await;
    story.apply(&INSTANCE.replace("secretName: ci", HASH)).await;
    story.publishes("the policy", |engine| hosts(engine).len() == 1).await;
    let count = |is: fn(&Call) -> bool| proxy.calls().iter().filter(|call| is(call)).count();
    let (lists, watches) = (count(Call::is_list), count(Call::is_watch));
    wait::until("every watch is closed more than once", || async {
        let begun = count(Call::is_watch) - watches;
        if begun > 40 { Ok(()) } else { Err(begun.to_string()) }
    })
    .await;
    assert_eq!(count(Call::is_list), lists, "they are resumed");
    story.apply(MORE).await;
    story
        .publishes("more", |engine| engine.governs("more.example.com"))
        .await;
    story.settled(&operator).await;
}

#[tokio::test]
async fn f12_a_watch_that_fell_silent_is_noticed() {
    let story = Story::begin().await;
    let proxy = FaultProxy::start(&story.cluster).await;
    let silent = |call: &Call| {
        if call.is_watch() && call.path.contains("accesspolicies") {
            Fault::Silence
        } else {
            Fault::None
        }
    };
    proxy.does(silent);
    let _operator = through(&story, &proxy, &["--no-leader-election"]).await;
    story.apply(&INSTANCE.replace("secretName: ci", HASH)).await;
    proxy.is_honest();
    wait::within(Duration::from_secs(90), "the policy is seen after all", || async {
        let (_, engine) = tests::cluster::operator::published(&story.cluster, &story.home, "main").await?;
        if engine.governs("app.example.com") {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .await;
}

#[tokio::test]
async fn f09_what_a_watch_never_shows_is_read_where_it_is_in_the_way_and_not_written_again_and_again() {
    let story = Story::begin().await;
    let first = story.operator(&["--no-leader-election"]).await;
    story.apply(&INSTANCE.replace("secretName: ci", HASH)).await;
    story.says("accesspolicy/app", "Published", "True").await;
    story.settled(&first).await;
    drop(first);

    // What stands is listed; nothing that happens to it afterwards is shown.
    let proxy = FaultProxy::start(&story.cluster).await;
    proxy.does(|call| {
        let is_blind = call.path.contains("/secrets") || call.path.contains("/deployments");
        if call.is_watch() && is_blind {
            Fault::DropEvents(1)
        } else {
            Fault::None
        }
    });
    let operator = through(&story, &proxy, &["--no-leader-election"]).await;
    story.settled(&operator).await;
    let image = r#"{"spec": {"image": "another"}}"#;
    story
        .kubectl(&["patch", "authd/main", "--type=merge", "-p", image])
        .await;
    let applied = || {
        let calls = proxy.calls();
        let ours = calls
            .iter()
            .filter(|call| call.is_write() && call.path.contains("/deployments/main"));
        ours.count()
    };
    wait::until("the Deployment is changed", || async {
        let read = ["get", "deployment/main", "-n", &story.home, "-o", "jsonpath={..image}"];
        let said = story.cluster.kubectl(&read).await.attempt()?;
        if said == "another" { Ok(()) } else { Err(said) }
    })
    .await;

    let (before, rounds) = (applied(), 12);
    for number in 0..rounds {
        // Longer than an answer is believed at first: the index that the watch shows is not the one that stands.
        if number == 1 {
            story.settled(&operator).await;
        }
        let (name, host) = (format!("late-{number}"), format!("late-{number}.example.com"));
        story.apply(&open(&name, &host)).await;
        story.publishes(&name, |engine| engine.governs(&host)).await;
    }
    let again = applied() - before;
    assert!(again < rounds, "applied {again} times in {rounds} rounds");
}
