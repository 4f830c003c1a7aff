//! An operator that ends, in the middle of its work or because it was told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tests::cluster::fault_proxy::{Call, Fault, FaultProxy};
use tests::cluster::operator::{Operator, program};
use tests::wait;

use super::{HASH, INSTANCE, Story, hosts};

/// Takes away all that an operator made.
async fn remove_all(story: &Story) {
    let of_main = ["-l", "authd.dev/instance=main"];
    for kinds in ["secrets", "deployment,service,role"] {
        let delete: Vec<&str> = ["delete", kinds].into_iter().chain(of_main).collect();
        story.kubectl(&delete).await;
    }
}

/// Nothing gets through any more from the `last`-th write on, which itself may arrive though its answer does not.
fn ends_at(last: usize, arrives: bool, reached: Arc<AtomicBool>) -> impl FnMut(&Call) -> Fault + Send + 'static {
    let mut writes = 0;
    move |call| {
        let is_over = reached.load(Ordering::SeqCst);
        writes += usize::from(call.is_write());
        match (is_over, writes == last) {
            (true, _) => Fault::Answer(503),
            (false, false) => Fault::None,
            (false, true) => {
                reached.store(true, Ordering::SeqCst);
                if arrives {
                    Fault::LoseTheAnswer
                } else {
                    Fault::Answer(503)
                }
            }
        }
    }
}

#[tokio::test]
async fn f01_f02_an_operator_that_dies_at_any_write_leaves_what_it_would_have_left() {
    let story = Story::begin().await;
    let proxy = FaultProxy::start(&story.cluster).await;
    let mut operator = Operator::start_by(
        &program(),
        proxy.kubeconfig(),
        &[&story.home],
        &["--no-leader-election"],
    )
    .await;
    story.apply(&INSTANCE.replace("secretName: ci", HASH)).await;
    story.says("accesspolicy/app", "Published", "True").await;
    story.settled(&operator).await;
    let (_, undisturbed) = story.end().await;
    assert!(undisturbed.len() > 12, "{undisturbed:?}");
    let is_as_it_was = || async {
        let (_, engine) = tests::cluster::operator::published(&story.cluster, &story.home, "main").await?;
        let made = ["get", "deployment/main", "role/main", "service/main", "-n", &story.home];
        story.cluster.kubectl(&made).await.attempt()?;
        let (_, said) = story.end().await;
        if hosts(&engine) == ["app.example.com"] && said == undisturbed {
            Ok(())
        } else {
            Err(format!("{said:#?}"))
        }
    };

    let mut died_at = 0;
    for last in 1.. {
        let reached = Arc::new(AtomicBool::new(false));
        operator.kill();
        remove_all(&story).await;
        proxy.does(ends_at(last, last.is_multiple_of(2), Arc::clone(&reached)));
        operator.restart().await;
        wait::until("it is stopped, or all is made", || async {
            if reached.load(Ordering::SeqCst) {
                Ok(())
            } else {
                is_as_it_was().await
            }
        })
        .await;
        operator.kill();
        proxy.is_honest();
        if !reached.load(Ordering::SeqCst) {
            break;
        }
        died_at = last;
        operator.restart().await;
        wait::until(&format!("it goes on after it died at write {last}"), is_as_it_was).await;
    }
    assert!(died_at > 8, "control: it died at {died_at} writes");
}

#[tokio::test]
async fn f35_an_operator_that_is_told_to_end_does() {
    let story = Story::begin().await;
    let mut operator = story.operator(&[]).await;
    operator.signal(Signal::TERM);
    wait::within(Duration::from_secs(6), "it ends", || {
        let has_ended = operator.has_ended();
        async move { if has_ended { Ok(()) } else { Err("it runs".to_owned()) } }
    })
    .await;
}
