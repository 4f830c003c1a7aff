//! The loop: watch, compile, publish, report, deploy. Every round looks at everything, and writes only what is not as it should be.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crds::Reason;
use kube::runtime::events::{Recorder, Reporter as EventSource};
use policy::snapshot::shard;
use tokio::sync::watch::Receiver;

use crate::children::{self, Children};
use crate::clock;
use crate::cluster::{Cluster, MANAGER};
use crate::deploy;
use crate::inventory::Inventory;
use crate::mint;
use crate::plan::{Instance, Plan, not_opted_in};
use crate::publish::{Error, Publisher};
use crate::replicas::Replicas;
use crate::report::{self, Known, Queue, Sources};
use crate::watch::{Changes, World};

/// How long to wait for more changes after one, so that a burst is one round.
const GATHER: Duration = Duration::from_millis(20);
/// How long replicas have to take a new Snapshot before statuses say that they have not.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long after a failure to try again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How often replicas are counted though nothing changed: one may have fallen silent.
const COUNT_AGAIN: Duration = Duration::from_secs(10);

/// What is kept from one round to the next.
pub struct Rounds {
    cluster: Cluster,
    recorder: Recorder,
    world: World,
    image: String,
    inventory: Inventory,
    plan: Plan,
    publisher: Publisher,
    replicas: Replicas,
    children: Children,
    statuses: Queue,
    /// Why an instance was not published, by its name.
    failures: HashMap<String, (Reason, String)>,
    /// Why something that an instance needs could not be made, by its name.
    refusals: HashMap<String, String>,
    failed_in_a_row: u32,
    /// When statuses are written though replicas have not caught up.
    report_by: Option<Instant>,
    /// When to begin a round though nothing changes.
    next: Option<Instant>,
}

impl Rounds {
    /// Rounds over this world.
    #[must_use]
    pub fn new(cluster: Cluster, world: World, image: String) -> Self {
        let source = EventSource {
            controller: MANAGER.to_owned(),
            instance: None,
        };
        let recorder = Recorder::new(cluster.client(), source);
        let statuses = Queue::new(cluster.clone(), recorder.clone());
        Self {
            recorder,
            cluster,
            world,
            image,
            inventory: Inventory::default(),
            plan: Plan::default(),
            publisher: Publisher::default(),
            replicas: Replicas::default(),
            children: Children::default(),
            statuses,
            failures: HashMap::new(),
            refusals: HashMap::new(),
            failed_in_a_row: 0,
            report_by: None,
            next: None,
        }
    }

    /// Goes round for ever; while another operator leads, it only watches.
    pub async fn run(mut self, mut leads: Option<Receiver<bool>>) {
        self.listed().await;
        self.world.watches.all_changed();
        loop {
            let changes = self.changes().await;
            if let Some(leads) = &mut leads
                && !*leads.borrow()
            {
                if leads.wait_for(|leads| *leads).await.is_err() {
                    return;
                }
                // What was written meanwhile is not ours.
                self.publisher = Publisher::default();
                self.world.watches.all_changed();
                continue;
            }
            self.round(changes).await;
        }
    }

    /// Waits until everything was listed once: what is not known yet must not look as if it were not there.
    async fn listed(&self) {
        let mut said = Instant::now();
        loop {
            let unlisted = self.world.watches.unlisted();
            if unlisted.is_empty() {
                return;
            }
            if said.elapsed() > Duration::from_secs(5) {
                said = Instant::now();
                tracing::warn!(?unlisted, "waiting_for_lists");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn changes(&mut self) -> Changes {
        let soonest = [self.next, self.report_by].into_iter().flatten().min();
        let soonest = soonest
            .unwrap_or_else(|| Instant::now() + COUNT_AGAIN)
            .min(Instant::now() + COUNT_AGAIN);
        let mut changes = loop {
            tokio::select! {
                changes = self.world.watches.next() => break changes,
                // What changed while statuses were under way is looked at when all of them are done.
                all_done = self.statuses.progress() => if all_done { break Changes::default() },
                () = tokio::time::sleep_until(soonest.into()) => break Changes::default(),
            }
        };
        if changes.resources {
            tokio::time::sleep(GATHER).await;
            let more = self.world.watches.take();
            changes.replicas |= more.replicas;
            changes.children |= more.children;
        }
        changes
    }

    async fn round(&mut self, changes: Changes) {
        let begun = Instant::now();
        let is_due = self.next.is_some_and(|next| next <= begun);
        if changes.resources || is_due {
            self.next = None;
            self.inventory = Inventory::take(&self.world);
            self.mint().await;
            self.plan = Plan::make(&self.inventory);
            metrics::gauge!("authd_operator_compile_seconds").set(begun.elapsed().as_secs_f64());
        }
        self.replicas.update(&self.world);
        if changes.resources || is_due {
            self.publish().await;
        }
        if changes.resources || changes.children || is_due {
            self.deploy().await;
        }
        if self.is_time_to_report() {
            self.report();
        }
    }

    async fn mint(&mut self) {
        let now = clock::now();
        if let Some(next) = mint::keys(&self.cluster, &self.inventory, now).await {
            let wait = Duration::try_from(next - now).unwrap_or_default();
            self.come_back(wait.max(Duration::from_millis(100)));
        }
    }

    fn come_back(&mut self, after: Duration) {
        let moment = Instant::now() + after;
        self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
    }

    async fn publish(&mut self) {
        self.publisher.retain(&self.plan.instances, &self.inventory);
        self.failures.clear();
        let mut has_written = false;
        for at in 0..self.plan.instances.len() {
            let Some(snapshot) = self
                .plan
                .instances
                .get_mut(at)
                .and_then(|instance| instance.snapshot.take())
            else {
                continue;
            };
            let Some(instance) = self.plan.instances.get(at) else {
                continue;
            };
            if !self.inventory.may_make_in(&instance.namespace()) {
                if !self.inventory.opted_in.contains(&instance.namespace()) {
                    self.failures
                        .insert(instance.full_name(), not_opted_in(&instance.namespace()));
                }
                continue;
            }
            let least = self.replicas.furthest(instance).max(sequence_in_status(instance));
            let publishing = self
                .publisher
                .publish(&self.cluster, &self.inventory, (instance, &snapshot), least);
            match publishing.await {
                Ok(written) => has_written |= written,
                Err(error) => {
                    tracing::warn!(instance = instance.full_name(), %error, "snapshot_not_published");
                    metrics::counter!("authd_operator_publish_failures_total").increment(1);
                    self.failures
                        .insert(instance.full_name(), (reason(&error), error.to_string()));
                }
            }
        }
        // What was written is believed to be there for a while, and may be taken away meanwhile.
        if let Some(pause) = self.publisher.look_again() {
            self.come_back(pause);
        }
        // What was compiled and published is not needed again, and is large.
        self.inventory.resources = policy::Resources::default();
        if has_written {
            self.report_by = Some(Instant::now() + PATIENCE);
        }
    }

    async fn deploy(&mut self) {
        self.refusals.clear();
        for instance in &self.plan.instances {
            let published = self.publisher.published(instance);
            let Some(published) = published.filter(|published| published.index.is_some()) else {
                continue;
            };
            let image = instance.authd.spec.image.as_deref().unwrap_or(&self.image);
            let read = instance.read_at_start.clone();
            let read = read.or_else(|| children::deployed_with(&self.world, instance));
            let shards = published.shard_count();
            let desired = deploy::objects(&instance.authd, shards, image, read.as_deref());
            let with = (&self.cluster, &self.recorder);
            if let Err(refusal) = self.children.keep(with, &self.world, instance, &desired).await {
                tracing::warn!(instance = instance.full_name(), %refusal, "not_deployed");
                self.refusals.insert(instance.full_name(), refusal.to_string());
            }
        }
        self.children
            .prune(&self.cluster, &self.world, &self.plan.instances)
            .await;
        if let Some(pause) = self.children.look_again() {
            self.come_back(pause);
        }
        self.try_again();
    }

    /// After failures, comes back in ever longer pauses.
    fn try_again(&mut self) {
        let mut failures = self.failures.values();
        let has_failed = failures.any(|(reason, _)| *reason != Reason::NotOptedIn) || !self.refusals.is_empty();
        self.failed_in_a_row = if has_failed { self.failed_in_a_row + 1 } else { 0 };
        if has_failed {
            let doubled = RETRY.0 * 2_u32.saturating_pow(self.failed_in_a_row.min(7) - 1);
            self.come_back(doubled.min(RETRY.1));
        }
    }

    fn is_time_to_report(&self) -> bool {
        let Some(report_by) = self.report_by else { return true };
        let behind = |instance: &Instance| {
            let published = self
                .publisher
                .published(instance)
                .and_then(|published| published.index.as_ref());
            published.is_some_and(|index| {
                let (serving, of) = self.replicas.serving(instance, index.sequence);
                serving < of
            })
        };
        report_by <= Instant::now() || !self.plan.instances.iter().any(behind)
    }

    fn report(&mut self) {
        self.report_by = None;
        let known = Known {
            publisher: &self.publisher,
            replicas: &self.replicas,
            failures: &self.failures,
            refusals: &self.refusals,
        };
        let sources = Sources {
            inventory: &self.inventory,
            plan: &self.plan,
            publisher: &self.publisher,
            replicas: &self.replicas,
        };
        let subjects = report::all(&self.world, sources);
        let again = self.statuses.report(&known, &subjects, clock::now());
        if let Some(pause) = again {
            self.come_back(pause);
        }
    }
}

fn sequence_in_status(instance: &Instance) -> u64 {
    let status = instance.authd.status.as_ref();
    let sequence = status.and_then(|status| status.sequence);
    sequence.and_then(|sequence| u64::try_from(sequence).ok()).unwrap_or(0)
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::Shards(shard::Error::TooLarge { .. }) => Reason::TooLarge,
        Error::Loss(_) => Reason::Held,
        Error::Shards(_) | Error::Call(_) | Error::Json(_) => Reason::NotPublished,
    }
}
