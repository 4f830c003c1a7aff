//! Do replicas reach a provider? Each says how it fares as far as it can tell, and this is what they say together.
//!
//! What is written changes only when that does: while all is well nobody is counted, as replicas come and go.

use std::collections::BTreeMap;

use crds::Reason;
use crds::published::Fares;

use super::Said;

/// What those say who have asked, of so many replicas that run.
pub(super) fn said(fares: &[&Fares], running: usize) -> Said {
    if running == 0 {
        return Said::unknown(Reason::NoReplicas, "no replica runs");
    }
    if fares.is_empty() {
        return Said::unknown(
            Reason::NotAsked,
            "no replica has said yet whether it reaches the provider",
        );
    }
    let mut failing: BTreeMap<Reason, Vec<&str>> = BTreeMap::new();
    for fares in fares {
        if let Some(reason) = fares.reason {
            failing.entry(reason).or_default().push(&fares.message);
        }
    }
    let count: usize = failing.values().map(Vec::len).sum();
    // What most of them say; of those that are as many, the same each time.
    let most = failing
        .iter()
        .max_by_key(|(reason, messages)| (messages.len(), std::cmp::Reverse(**reason)));
    match most {
        None => Said::yes(
            Reason::Reachable,
            words(fares.iter().map(|fares| fares.message.as_str())),
        ),
        Some((reason, messages)) => Said::no(
            *reason,
            format!(
                "{count} of {} replicas: {}",
                fares.len(),
                words(messages.iter().copied())
            ),
        ),
    }
}

/// The first in the order of words, so that it does not depend on who speaks first.
fn words<'a>(messages: impl Iterator<Item = &'a str>) -> &'a str {
    messages.filter(|message| !message.is_empty()).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Holds;

    fn works(message: &str) -> Fares {
        Fares {
            message: message.to_owned(),
            ..Fares::default()
        }
    }

    fn fails(reason: Reason, message: &str) -> Fares {
        Fares {
            reason: Some(reason),
            ..works(message)
        }
    }

    #[track_caller]
    fn check(fares: &[Fares], running: usize, expected: (Holds, Reason, &str)) {
        for turn in 0..fares.len().max(1) {
            let mut turned: Vec<&Fares> = fares.iter().collect();
            turned.rotate_left(turn);
            let said = said(&turned, running);
            assert_eq!(
                (said.holds, said.reason, &*said.message),
                expected,
                "whoever speaks first"
            );
        }
    }

    #[test]
    fn what_replicas_say_is_one_condition_whoever_speaks_first() {
        use Reason::{CertificateInvalid, NoReplicas, NotAsked, Reachable, ServerUnreachable};
        let away = || fails(ServerUnreachable, "`a` cannot be reached");
        check(&[], 0, (Holds::Unknown, NoReplicas, "no replica runs"));
        check(
            &[],
            2,
            (
                Holds::Unknown,
                NotAsked,
                "no replica has said yet whether it reaches the provider",
            ),
        );
        check(&[works("")], 2, (Holds::True, Reachable, ""));
        check(&[works(""), works("")], 2, (Holds::True, Reachable, ""));
        check(
            &[works(""), works("one is away")],
            2,
            (Holds::True, Reachable, "one is away"),
        );
        check(
            &[works(""), away()],
            2,
            (
                Holds::False,
                ServerUnreachable,
                "1 of 2 replicas: `a` cannot be reached",
            ),
        );
        check(
            &[away(), fails(CertificateInvalid, "the certificate"), away()],
            3,
            (
                Holds::False,
                ServerUnreachable,
                "3 of 3 replicas: `a` cannot be reached",
            ),
        );
        check(
            &[away(), fails(CertificateInvalid, "the certificate")],
            2,
            (
                Holds::False,
                ServerUnreachable,
                "2 of 2 replicas: `a` cannot be reached",
            ),
        );
    }

    #[test]
    fn a_replica_of_another_version_is_understood_as_far_as_it_can_be() {
        let said =
            crds::published::fares(r#"{"a": {}, "b": {"reason": "Unheard"}, "c": {"reason": "TimedOut", "more": 1}}"#);
        assert_eq!(said.keys().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(said["c"].reason, Some(Reason::TimedOut));
        assert!(crds::published::fares("no JSON").is_empty());
    }
}
