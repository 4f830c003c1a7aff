//! What became of each resource, written to its status when it is not what the status says.

mod subject;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::{Condition, ConditionType, Reason, Resource, ResourceExt, Time};
use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::plan::Instance;
use crate::publish::Publisher;
use crate::replicas::Replicas;
use subject::Subject;

pub use subject::{Sources, all};

/// How many statuses are written at a time.
const AT_A_TIME: usize = 16;
/// The most bytes of a message.
const MOST_BYTES: usize = 4096;

/// One condition, without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whether it holds.
    pub holds: bool,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

impl Said {
    fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds: true,
            reason,
            message: message.into(),
        }
    }

    fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds: false,
            reason,
            message: cut(message.into()),
        }
    }
}

/// At most so many bytes, ending between two characters.
fn cut(mut message: String) -> String {
    if message.len() > MOST_BYTES {
        let end = (0..=MOST_BYTES - 3)
            .rev()
            .find(|at| message.is_char_boundary(*at))
            .unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// What the status of a resource should say.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    generation: i64,
    conditions: Vec<(ConditionType, Said)>,
    enforced: Option<String>,
    more: BTreeMap<&'static str, Value>,
}

/// What there is to know, beside the resource itself.
pub struct Known<'a> {
    /// What is published.
    pub publisher: &'a Publisher,
    /// Who serves what.
    pub replicas: &'a Replicas,
    /// Why an instance was not published, by its name.
    pub failures: &'a HashMap<String, (Reason, String)>,
    /// Why something that an instance needs could not be made, by its name.
    pub refusals: &'a HashMap<String, String>,
}

impl Known<'_> {
    /// What the status of a resource of this version should say.
    fn report(&self, subject: &Subject<'_>) -> Report {
        let instance = subject.instance;
        let problem = subject.problem.clone();
        let accepted = problem.map_or_else(
            || Said::yes(Reason::Accepted, ""),
            |(reason, message)| Said::no(reason, message),
        );
        let since = instance.and_then(|instance| {
            self.publisher
                .published(instance)?
                .since(&subject.uid, &subject.version)
        });
        let published = self.published(instance, since, &accepted);
        let (enforced, count) = self.enforced(instance, since);
        let all = [&accepted, &published, &enforced];
        let deployed = self.deployed(subject);
        let ready = all.into_iter().chain(&deployed).find(|said| !said.holds);
        let ready = ready.cloned().unwrap_or_else(|| Said::yes(Reason::Ready, ""));
        let mut conditions = vec![
            (ConditionType::Accepted, accepted),
            (ConditionType::Published, published),
        ];
        if subject.tracks_enforcement {
            conditions.push((ConditionType::Enforced, enforced));
        }
        conditions.push((ConditionType::Ready, ready));
        Report {
            generation: subject.generation,
            conditions,
            enforced: count.filter(|_| subject.tracks_enforcement),
            more: subject.more.clone(),
        }
    }

    /// What stands in the way of an Authd beside its own conditions.
    fn deployed(&self, subject: &Subject<'_>) -> Option<Said> {
        let instance = subject.instance?;
        let refusal = self.refusals.get(&instance.full_name())?;
        let is_authd = instance.authd.metadata.uid.as_ref() == Some(&subject.uid);
        is_authd.then(|| Said::no(Reason::NotDeployed, refusal.clone()))
    }

    fn published(&self, instance: Option<&Instance>, since: Option<u64>, accepted: &Said) -> Said {
        if let Some((reason, message)) = instance.and_then(|instance| self.failures.get(&instance.full_name())) {
            return Said::no(*reason, message.clone());
        }
        match (since, instance) {
            (Some(sequence), _) => Said::yes(Reason::Published, format!("in Snapshot {sequence} and later")),
            (None, Some(instance)) if accepted.holds && instance.snapshot.is_none() => {
                let message = format!(
                    "Authd `{}` is not accepted: what was published before stays",
                    instance.full_name()
                );
                Said::no(Reason::InstanceNotReady, message)
            }
            (None, _) if accepted.holds => Said::no(Reason::NotPublished, "it waits for its turn"),
            (None, _) => Said::no(Reason::NotPublished, "it is left out until it is accepted"),
        }
    }

    fn enforced(&self, instance: Option<&Instance>, since: Option<u64>) -> (Said, Option<String>) {
        let Some((instance, since)) = instance.zip(since) else {
            return (
                Said::no(Reason::NotPublished, "no replica can enforce what is not published"),
                None,
            );
        };
        let (serving, of) = self.replicas.serving(instance, since);
        let count = format!("{serving}/{of}");
        let said = if of == 0 {
            Said::no(Reason::NoReplicas, "no replica runs")
        } else if serving == of {
            Said::yes(Reason::Enforced, "")
        } else {
            let refusal = self.replicas.refusal(instance);
            let refusal = refusal.map(|why| format!(": {why}")).unwrap_or_default();
            Said::no(Reason::Waiting, format!("{count} replicas enforce it{refusal}"))
        };
        (said, Some(count))
    }
}

/// Statuses to write.
#[derive(Default)]
pub struct Reporter {
    written: HashMap<String, Written>,
}

/// What was last written to a status, which the watch may not have brought yet.
struct Written {
    report: Report,
    version: u128,
    failures: u32,
    not_before: Option<Instant>,
}

/// One status to write.
struct Write {
    uid: String,
    report: Report,
    status: Value,
    call: Call,
    event: Option<(Event, ObjectReference)>,
}

impl Reporter {
    /// Writes the statuses that are not as they should be. When to come back, if some could not be written.
    pub async fn report(
        &mut self,
        (cluster, recorder): (&Cluster, &Recorder),
        known: &Known<'_>,
        subjects: Vec<Subject<'_>>,
        now: Timestamp,
    ) -> Option<Duration> {
        let mut writes = Vec::new();
        let mut present = std::collections::HashSet::with_capacity(subjects.len());
        for subject in &subjects {
            present.insert(subject.uid.clone());
            let report = known.report(subject);
            if self.is_due(subject, &report) {
                writes.push(write(subject, report, now));
            }
        }
        self.written.retain(|uid, _| present.contains(uid));
        let done = futures::stream::iter(writes)
            .map(|write| async move {
                let outcome = (write.call)(cluster.clone(), write.status).await;
                if let (Ok(_), Some((event, about))) = (&outcome, &write.event)
                    && let Err(error) = recorder.publish(event, about).await
                {
                    tracing::debug!(%error, "event_not_written");
                }
                (write.uid, write.report, outcome)
            })
            .buffer_unordered(AT_A_TIME)
            .collect::<Vec<_>>()
            .await;
        done.into_iter()
            .filter_map(|(uid, report, outcome)| self.note(uid, report, outcome))
            .min()
    }

    fn is_due(&self, subject: &Subject<'_>, report: &Report) -> bool {
        if subject.says(report) {
            return false;
        }
        match self.written.get(&subject.uid) {
            // Its status cannot be read either: what was written is what it says.
            Some(written) if !subject.is_readable && written.failures == 0 && written.report == *report => false,
            Some(written) if written.not_before.is_some_and(|moment| moment > Instant::now()) => false,
            // The watch has not brought yet what was written.
            Some(written) => {
                written.failures > 0 || written.report != *report || subject.resource_version >= written.version
            }
            None => true,
        }
    }

    fn note(&mut self, uid: String, report: Report, outcome: Result<u128, crate::cluster::Error>) -> Option<Duration> {
        let failures = self.written.get(&uid).map_or(0, |written| written.failures);
        let (version, failures, pause) = match outcome {
            Ok(version) => (version, 0, None),
            // It is gone; the watch will say so.
            Err(error) if error.code() == Some(404) => (0, 0, None),
            Err(error) => {
                tracing::warn!(uid, %error, "status_not_written");
                metrics::counter!("authd_operator_status_failures_total").increment(1);
                (0, failures + 1, Some(pause(failures)))
            }
        };
        let not_before = pause.map(|pause| Instant::now() + pause);
        self.written.insert(
            uid,
            Written {
                report,
                version,
                failures,
                not_before,
            },
        );
        pause
    }
}

/// Twice as long after each failure, up to a minute.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(500) * 2_u32.saturating_pow(failures.min(7))
}

fn write(subject: &Subject<'_>, report: Report, now: Timestamp) -> Write {
    let conditions: Vec<Condition> = report
        .conditions
        .iter()
        .map(|(kind, said)| condition(subject, *kind, said, now))
        .collect();
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
        uid: subject.uid.clone(),
        event: event(subject, &report),
        status: subject.patch(&status),
        report,
        call: subject.call.clone(),
    }
}

fn condition(subject: &Subject<'_>, kind: ConditionType, said: &Said, now: Timestamp) -> Condition {
    let status = if said.holds { "True" } else { "False" };
    let before = subject
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind.name());
    let since = before
        .filter(|before| before.status == status)
        .map(|before| before.last_transition_time.clone());
    Condition {
        type_: kind.name().to_owned(),
        status: status.to_owned(),
        reason: said.reason.name().to_owned(),
        message: said.message.clone(),
        observed_generation: Some(subject.generation),
        last_transition_time: since.unwrap_or(Time(now)),
    }
}

/// A change of `Ready` is an event; that something new is ready at once is none.
fn event(subject: &Subject<'_>, report: &Report) -> Option<(Event, ObjectReference)> {
    let (_, ready) = report.conditions.last()?;
    let before = subject
        .conditions
        .iter()
        .find(|condition| condition.type_ == ConditionType::Ready.name());
    let waits = matches!(
        ready.reason,
        Reason::Waiting | Reason::NotPublished | Reason::NoReplicas
    );
    let same = before.is_some_and(|before| before.reason == ready.reason.name() && before.message == ready.message);
    let new = before.is_none() && ready.holds;
    let mended = before.is_some_and(|before| before.status != "True" && before.reason != Reason::Waiting.name());
    let speaks = if ready.holds { mended } else { !waits };
    if same || new || !speaks {
        return None;
    }
    let event = Event {
        type_: if ready.holds {
            EventType::Normal
        } else {
            EventType::Warning
        },
        reason: ready.reason.name().to_owned(),
        note: Some(ready.message.chars().take(900).collect()),
        action: "Report".to_owned(),
        secondary: None,
    };
    Some((event, subject.reference.clone()))
}

/// A reference to a resource, for events.
pub fn reference<K: Resource<DynamicType = ()>>(resource: &K) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: Some(resource.name_any()),
        namespace: resource.namespace(),
        uid: resource.uid(),
        ..ObjectReference::default()
    }
}

/// The call that writes the status of one resource; it returns the version that was written.
pub type Outcome = futures::future::BoxFuture<'static, Result<u128, crate::cluster::Error>>;

/// Shared by all subjects of a kind.
pub type Call = Arc<dyn Fn(Cluster, Value) -> Outcome + Send + Sync>;
