//! What each instance should serve, and what is wrong with which resource.

use std::collections::{BTreeSet, HashMap};

use crds::{Authd, Reason, Resource, ResourceExt};
use policy::{Problem, Snapshot};

use crate::deploy::read_at_start;
use crate::inventory::Inventory;

/// A kind, a namespace and a name.
pub type Name = (String, String, String);

/// What each instance should serve, and what is wrong.
#[derive(Default)]
pub struct Plan {
    /// Every Authd that can be read.
    pub instances: Vec<Instance>,
    problems: HashMap<Name, Vec<Problem>>,
    opted_in: BTreeSet<String>,
}

/// One Authd.
pub struct Instance {
    /// The resource.
    pub authd: Authd,
    /// What it should serve, until it is published; it is large. `None` too while something that cannot be left out is wrong.
    pub snapshot: Option<Snapshot>,
    /// Whether nothing is wrong that cannot be left out.
    pub is_compiled: bool,
    /// The namespaces whose resources it reads.
    pub namespaces: BTreeSet<String>,
    /// What [`read_at_start`] says of its Pods; `None` too while it is not compiled.
    pub read_at_start: Option<String>,
}

impl Instance {
    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> String {
        self.authd.namespace().unwrap_or_default()
    }

    /// `namespace/name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace(), self.authd.name_any())
    }
}

impl Plan {
    /// Compiles for every Authd. What another instance says of a resource counts only where none reads its namespace.
    #[must_use]
    pub fn make(inventory: &Inventory) -> Self {
        let mut plan = Self {
            opted_in: inventory.opted_in.iter().cloned().collect(),
            ..Self::default()
        };
        let mut strangers = Vec::new();
        for authd in &inventory.resources.authds {
            let full_name = format!("{}/{}", authd.namespace().unwrap_or_default(), authd.name_any());
            let compiled = policy::compile(&inventory.resources, Some(&full_name));
            for problem in compiled.problems {
                if compiled.namespaces.contains(&problem.namespace) {
                    plan.note(problem);
                } else {
                    strangers.push(problem);
                }
            }
            plan.instances.push(Instance {
                authd: authd.clone(),
                is_compiled: compiled.snapshot.is_some(),
                read_at_start: compiled
                    .snapshot
                    .as_ref()
                    .and_then(|snapshot| read_at_start::digest(&snapshot.settings)),
                snapshot: compiled.snapshot,
                namespaces: compiled.namespaces,
            });
        }
        for problem in strangers {
            if plan.reader(&problem.namespace).is_none() {
                plan.note(problem);
            }
        }
        // What cannot be read has no other mistakes, though something stands in its place.
        for problem in &inventory.unreadable {
            plan.problems.insert(name_of(problem), vec![problem.clone()]);
        }
        plan
    }

    fn note(&mut self, problem: Problem) {
        let known = self.problems.entry(name_of(&problem)).or_default();
        if !known.contains(&problem) {
            known.push(problem);
        }
    }

    /// The instance that reads a namespace: the oldest.
    #[must_use]
    pub fn reader(&self, namespace: &str) -> Option<&Instance> {
        self.instances
            .iter()
            .filter(|instance| instance.namespaces.contains(namespace))
            .min_by_key(|instance| {
                let created = instance.authd.metadata.creation_timestamp.clone();
                (created.map(|time| time.0), instance.full_name())
            })
    }

    /// The instance that a resource belongs to: itself, if it is one.
    #[must_use]
    pub fn instance_of<K: Resource<DynamicType = ()>>(&self, resource: &K) -> Option<&Instance> {
        let namespace = resource.namespace().unwrap_or_default();
        if K::kind(&()) == Authd::kind(&()) {
            let same = |instance: &&Instance| {
                instance.namespace() == namespace && instance.authd.name_any() == resource.name_any()
            };
            return self.instances.iter().find(same);
        }
        self.reader(&namespace)
    }

    /// What is wrong with a resource: why, and in words.
    #[must_use]
    pub fn problem<K: Resource<DynamicType = ()>>(&self, resource: &K) -> Option<(Reason, String)> {
        let namespace = resource.namespace().unwrap_or_default();
        let name = (K::kind(&()).into_owned(), namespace.clone(), resource.name_any());
        if let Some(problems) = self.problems.get(&name) {
            let said: Vec<(Reason, String)> = problems.iter().map(|problem| self.said(problem)).collect();
            let messages: Vec<&str> = said.iter().map(|(_, message)| message.as_str()).collect();
            return said.first().map(|(reason, _)| (*reason, messages.join("; ")));
        }
        self.instance_of(resource).is_none().then(|| {
            let message = format!(
                "no Authd reads namespace `{namespace}`: add one to it, or let an Authd grant it hosts in `spec.tenants`"
            );
            (Reason::NoInstance, message)
        })
    }

    fn said(&self, problem: &Problem) -> (Reason, String) {
        let namespace = &problem.namespace;
        let is_missing = matches!(problem.reason, Reason::SecretMissing | Reason::ConfigMapMissing);
        let is_unread = is_missing && !self.opted_in.contains(namespace);
        let (reason, message) = if is_unread {
            not_opted_in(namespace)
        } else {
            (problem.reason, problem.message.clone())
        };
        match problem.field.as_str() {
            "" => (reason, message),
            field => (reason, format!("{field}: {message}")),
        }
    }
}

fn name_of(problem: &Problem) -> Name {
    (problem.kind.clone(), problem.namespace.clone(), problem.name.clone())
}

/// What is said of what cannot be done in a namespace.
#[must_use]
pub fn not_opted_in(namespace: &str) -> (Reason, String) {
    let message = format!(
        "the operator may not read or make Secrets in namespace `{namespace}`: add it to `namespaces` of the chart"
    );
    (Reason::NotOptedIn, message)
}
