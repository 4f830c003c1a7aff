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
/// The most characters of an Event's note: the API takes 1,024 bytes.
const MOST_CHARACTERS_OF_A_NOTE: usize = 900;

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

/// The conditions whose change somebody should hear of.
fn events(subject: &Subject<'_>, report: &Report) -> Vec<Event> {
    let before = |kind: ConditionType| {
        subject
            .conditions
            .iter()
            .find(|condition| condition.type_ == kind.name())
    };
    report
        .conditions
        .iter()
        .filter(|(kind, said)| match kind {
            ConditionType::Ready => tells_ready(before(*kind), said),
            ConditionType::Reachable => tells_reachable(before(*kind), said),
            _ => false,
        })
        .map(|(_, said)| event(said))
        .collect()
}

/// That something new is ready at once, or waits, is worth no event.
fn tells_ready(before: Option<&Condition>, now: &Said) -> bool {
    let is_same = before.is_some_and(|before| before.reason == now.reason.name() && before.message == now.message);
    if now.is_true() {
        before.is_some_and(|before| before.status != now.holds.name() && before.reason != Reason::Waiting.name())
    } else {
        let waits = matches!(now.reason, Reason::Waiting | Reason::NotPublished | Reason::NoReplicas);
        !waits && !is_same
    }
}

/// How many replicas do not reach a provider changes more often than why.
fn tells_reachable(before: Option<&Condition>, now: &Said) -> bool {
    match now.holds {
        Holds::True => before.is_some_and(|before| before.status == Holds::False.name()),
        Holds::False => before.is_none_or(|before| before.reason != now.reason.name()),
        Holds::Unknown => false,
    }
}

fn event(said: &Said) -> Event {
    Event {
        type_: if said.is_true() {
            EventType::Normal
        } else {
            EventType::Warning
        },
        reason: said.reason.name().to_owned(),
        note: Some(said.message.chars().take(MOST_CHARACTERS_OF_A_NOTE).collect()),
        action: "Report".to_owned(),
        secondary: None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn before(said: &Said) -> Condition {
        Condition {
            type_: "Any".to_owned(),
            status: said.holds.name().to_owned(),
            reason: said.reason.name().to_owned(),
            message: said.message.clone(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn a_change_is_an_event_and_what_comes_and_goes_by_itself_is_none() {
        let ready = Said::yes(Reason::Ready, "");
        let waits = Said::no(Reason::Waiting, "1/2 replicas enforce it");
        let invalid = Said::no(Reason::InvalidField, "spec.hosts: none");
        let worse = Said::no(Reason::InvalidField, "spec.hosts: two");
        for (was, now, expected) in [
            (None, &ready, false),
            (None, &invalid, true),
            (Some(&ready), &ready, false),
            (Some(&ready), &waits, false),
            (Some(&waits), &ready, false),
            (Some(&ready), &invalid, true),
            (Some(&invalid), &invalid, false),
            (Some(&invalid), &worse, true),
            (Some(&invalid), &ready, true),
        ] {
            let told = tells_ready(was.map(before).as_ref(), now);
            assert_eq!(told, expected, "{was:?} then {now:?}");
        }

        let reached = Said::yes(Reason::Reachable, "");
        let away = Said::no(Reason::ServerUnreachable, "1 of 2 replicas: no route");
        let further = Said::no(Reason::ServerUnreachable, "2 of 2 replicas: no route");
        let refused = Said::no(Reason::ApplicationBindRefused, "2 of 2 replicas: refused");
        let unasked = Said::unknown(Reason::NotAsked, "");
        for (was, now, expected) in [
            (None, &reached, false),
            (None, &away, true),
            (Some(&unasked), &reached, false),
            (Some(&unasked), &away, true),
            (Some(&reached), &reached, false),
            (Some(&reached), &away, true),
            (Some(&reached), &unasked, false),
            (Some(&away), &further, false),
            (Some(&further), &refused, true),
            (Some(&refused), &reached, true),
        ] {
            let told = tells_reachable(was.map(before).as_ref(), now);
            assert_eq!(told, expected, "{was:?} then {now:?}");
        }
    }
}
