//! What became of each resource, and what its status should say of it. Writing it down is in `queue`.

mod queue;
mod reachable;
mod subject;

use std::collections::{BTreeMap, HashMap};

use crds::{Condition, ConditionType, Reason, Resource, ResourceExt, Time};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};
use serde_json::Value;

use crate::plan::Instance;
use crate::publish::Publisher;
use crate::replicas::Replicas;
use subject::Subject;

pub use queue::Queue;
pub use subject::{Sources, all};

/// The most bytes of a message.
const MOST_BYTES: usize = 4096;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody who would know says so.
    Unknown,
}

impl Holds {
    /// As `status.conditions[].status` carries it.
    fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One condition, without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whether it holds.
    pub holds: Holds,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

impl Said {
    fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds: Holds::True,
            reason,
            message: cut(message.into()),
        }
    }

    fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds: Holds::False,
            reason,
            message: cut(message.into()),
        }
    }

    fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds: Holds::Unknown,
            reason,
            message: message.into(),
        }
    }

    fn is_true(&self) -> bool {
        self.holds == Holds::True
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
        let ready = all.into_iter().chain(&deployed).find(|said| !said.is_true());
        let ready = ready.cloned().unwrap_or_else(|| Said::yes(Reason::Ready, ""));
        let mut conditions = vec![
            (ConditionType::Accepted, accepted),
            (ConditionType::Published, published),
        ];
        if subject.tracks_enforcement {
            conditions.push((ConditionType::Enforced, enforced));
        }
        if let Some(provider) = &subject.provider_outside {
            conditions.push((ConditionType::Reachable, self.reachable(provider, instance.zip(since))));
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
            (Some(_), _) => Said::yes(Reason::Published, ""),
            (None, Some(instance)) if accepted.is_true() && !instance.is_compiled => {
                let message = format!(
                    "Authd `{}` is not accepted: what was published before stays",
                    instance.full_name()
                );
                Said::no(Reason::InstanceNotReady, message)
            }
            (None, _) if accepted.is_true() => Said::no(Reason::NotPublished, "it waits for its turn"),
            (None, _) => Said::no(Reason::NotPublished, "it is left out until it is accepted"),
        }
    }

    /// Whether replicas reach a provider, as far as they serve this version of it.
    fn reachable(&self, provider: &str, published: Option<(&Instance, u64)>) -> Said {
        let Some((instance, since)) = published else {
            return Said::unknown(Reason::NotPublished, "no replica asks a provider that is not published");
        };
        reachable::said(
            &self.replicas.fares(instance, provider, since),
            self.replicas.count(instance),
        )
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

fn condition(subject: &Subject<'_>, kind: ConditionType, said: &Said, now: Timestamp) -> Condition {
    let status = said.holds.name();
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
    let new = before.is_none() && ready.is_true();
    let mended = before.is_some_and(|before| before.status != "True" && before.reason != Reason::Waiting.name());
    let speaks = if ready.is_true() { mended } else { !waits };
    if same || new || !speaks {
        return None;
    }
    let event = Event {
        type_: if ready.is_true() {
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
