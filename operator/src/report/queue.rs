//! Statuses on their way to the API server, so many at a time, while rounds go on.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, Recorder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::subject::Subject;
use super::{Known, Report, condition, events};
use crate::cluster::{Cluster, Error};

/// How many statuses are written at a time.
const AT_A_TIME: usize = 16;

/// The call that writes the status of one resource; it returns the version that was written.
pub(super) type Outcome = BoxFuture<'static, Result<u128, Error>>;

/// Shared by all subjects of a kind.
pub(super) type Call = Arc<dyn Fn(Cluster, Value) -> Outcome + Send + Sync>;

/// Statuses on their way.
pub struct Queue {
    cluster: Cluster,
    recorder: Recorder,
    written: HashMap<String, Written>,
    waiting: HashMap<String, Write>,
    order: VecDeque<String>,
    under_way: HashSet<String>,
    running: JoinSet<Done>,
}

type Done = (String, Report, Result<u128, Error>);

/// What was last written to a status, which the watch may not have brought yet.
struct Written {
    report: Report,
    version: u128,
    failures: u32,
    not_before: Option<Instant>,
}

/// One status to write.
struct Write {
    report: Report,
    status: Value,
    call: Call,
    events: Vec<Event>,
    about: ObjectReference,
}

impl Queue {
    /// Nothing is on its way.
    #[must_use]
    pub fn new(cluster: Cluster, recorder: Recorder) -> Self {
        Self {
            cluster,
            recorder,
            written: HashMap::new(),
            waiting: HashMap::new(),
            order: VecDeque::new(),
            under_way: HashSet::new(),
            running: JoinSet::new(),
        }
    }

    /// Queues the statuses that are not as they should be. When to come back, if some may not be tried again yet.
    pub fn report(&mut self, known: &Known<'_>, subjects: &[Subject<'_>], now: Timestamp) -> Option<Duration> {
        let mut again: Option<Duration> = None;
        let mut present = HashSet::with_capacity(subjects.len());
        for subject in subjects {
            present.insert(subject.uid.as_str());
            let report = known.report(subject);
            match self.next_try(subject, &report) {
                Try::Never => drop(self.waiting.remove(&subject.uid)),
                Try::Now => self.put(subject, report, now),
                Try::In(pause) => again = Some(again.map_or(pause, |again| again.min(pause))),
                Try::UnderWay => {}
            }
        }
        self.written.retain(|uid, _| present.contains(uid.as_str()));
        self.waiting.retain(|uid, _| present.contains(uid.as_str()));
        self.fill();
        again
    }

    fn next_try(&self, subject: &Subject<'_>, report: &Report) -> Try {
        // What follows is looked at when that is done.
        if self.under_way.contains(&subject.uid) {
            return Try::UnderWay;
        }
        if subject.says(report) {
            return Try::Never;
        }
        let Some(written) = self.written.get(&subject.uid) else {
            return Try::Now;
        };
        let same = written.failures == 0 && written.report == *report;
        let wait = written
            .not_before
            .map(|moment| moment.saturating_duration_since(Instant::now()));
        match wait.filter(|wait| !wait.is_zero()) {
            Some(wait) => Try::In(wait),
            // Its status cannot be read either: what was written is what it says. Or the watch has not brought it yet.
            None if same && (!subject.is_readable || subject.resource_version < written.version) => Try::Never,
            None => Try::Now,
        }
    }

    /// A change of something that had a status goes first: somebody waits for it.
    fn put(&mut self, subject: &Subject<'_>, report: Report, now: Timestamp) {
        let write = write(subject, report, now);
        if self.waiting.insert(subject.uid.clone(), write).is_none() {
            if subject.conditions.is_empty() {
                self.order.push_back(subject.uid.clone());
            } else {
                self.order.push_front(subject.uid.clone());
            }
        }
    }

    fn fill(&mut self) {
        while self.running.len() < AT_A_TIME
            && let Some(uid) = self.order.pop_front()
        {
            let Some(Write {
                report,
                status,
                call,
                events,
                about,
            }) = self.waiting.remove(&uid)
            else {
                continue;
            };
            self.under_way.insert(uid.clone());
            let (cluster, recorder) = (self.cluster.clone(), self.recorder.clone());
            self.running.spawn(async move {
                let outcome = call(cluster, status).await;
                for event in events.iter().filter(|_| outcome.is_ok()) {
                    if let Err(error) = recorder.publish(event, &about).await {
                        tracing::debug!(%error, "event_not_written");
                    }
                }
                (uid, report, outcome)
            });
        }
    }

    /// Waits until something that was under way is done, and begins what waits. Whether it is to be looked at again.
    pub async fn progress(&mut self) -> bool {
        let Some(done) = self.running.join_next().await else {
            return std::future::pending().await;
        };
        if let Ok((uid, report, outcome)) = done {
            self.under_way.remove(&uid);
            self.note(uid, report, outcome);
        }
        self.fill();
        self.running.is_empty()
    }

    fn note(&mut self, uid: String, report: Report, outcome: Result<u128, Error>) {
        let failures = self.written.get(&uid).map_or(0, |written| written.failures);
        let (version, failures, not_before) = match outcome {
            Ok(version) => (version, 0, None),
            // It is gone, or another of its name is there; the watch will say so.
            Err(error) if matches!(error.code(), Some(404 | 409)) => (0, 0, None),
            Err(error) => {
                tracing::warn!(uid, %error, "status_not_written");
                metrics::counter!("authd_operator_status_failures_total").increment(1);
                (0, failures + 1, Some(Instant::now() + pause(failures)))
            }
        };
        let written = Written {
            report,
            version,
            failures,
            not_before,
        };
        self.written.insert(uid, written);
    }
}

/// When a status may be written.
enum Try {
    Never,
    Now,
    In(Duration),
    UnderWay,
}

/// Twice as long after each failure, up to a minute.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(500) * 2_u32.saturating_pow(failures.min(7))
}

fn write(subject: &Subject<'_>, report: Report, now: Timestamp) -> Write {
    let said = report.conditions.iter();
    let conditions: Vec<_> = said.map(|(kind, said)| condition(subject, *kind, said, now)).collect();
    let mut status = json!({ "observedGeneration": report.generation, "conditions": conditions });
    if let Value::Object(members) = &mut status {
        members.extend(
            report
                .enforced
                .iter()
                .map(|count| ("enforced".to_owned(), json!(count))),
        );
        members.extend(
            report
                .more
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
    }
    Write {
        events: events(subject, &report),
        about: subject.reference.clone(),
        status: subject.patch(&status),
        report,
        call: Arc::clone(&subject.call),
    }
}
