//! What the API server answered is believed for a while, though the watch has not brought it yet.
//!
//! Not for ever: it may have been taken away meanwhile, which a watch that never brought it does not show either. Then it is asked for
//! again, and an answer that says nothing new is believed for longer.

use std::time::{Duration, Instant};

use kube::ResourceExt;

/// How long a first answer is believed, and how long one at most.
const LASTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// That an object stands in one version.
#[derive(Clone, Copy)]
pub struct Belief {
    version: u128,
    since: Instant,
    lasts: Duration,
}

impl Belief {
    /// From now on, in what was answered.
    #[must_use]
    pub fn new(answer: &impl ResourceExt, before: Option<&Self>) -> Self {
        let again = before.filter(|belief| belief.is_in(answer));
        Self {
            version: version(answer),
            since: Instant::now(),
            lasts: again.map_or(LASTS.0, |belief| (belief.lasts * 2).min(LASTS.1)),
        }
    }

    /// Whether this version is the one that is believed to stand.
    #[must_use]
    pub fn is_in(&self, object: &impl ResourceExt) -> bool {
        self.version == version(object)
    }

    /// Whether the watch has not brought it yet.
    #[must_use]
    pub fn is_ahead_of(&self, seen: Option<&impl ResourceExt>) -> bool {
        seen.is_none_or(|seen| version(seen) < self.version)
    }

    /// How much longer to believe it; none when the API server has to be asked again.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        let rest = self.lasts.checked_sub(self.since.elapsed());
        rest.filter(|rest| !rest.is_zero())
    }
}

/// The API server's versions are numbers that grow.
fn version(object: &impl ResourceExt) -> u128 {
    let version = object.resource_version();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;

    use super::*;

    fn secret(version: &str) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.resource_version = Some(version.to_owned());
        secret
    }

    #[test]
    fn the_watch_is_behind_until_it_brings_the_version_or_a_later_one() {
        let belief = Belief::new(&secret("10"), None);
        assert!(belief.is_ahead_of(None::<&Secret>));
        assert!(belief.is_ahead_of(Some(&secret("9"))));
        assert!(!belief.is_ahead_of(Some(&secret("10"))));
        assert!(!belief.is_ahead_of(Some(&secret("11"))));
    }

    #[test]
    fn answers_that_say_nothing_new_are_believed_for_longer_up_to_a_minute() {
        let first = Belief::new(&secret("10"), None);
        let second = Belief::new(&secret("10"), Some(&first));
        assert_eq!(second.lasts, first.lasts * 2);
        let last = (0..20).fold(second, |before, _| Belief::new(&secret("10"), Some(&before)));
        assert_eq!(last.lasts, LASTS.1);
        assert_eq!(Belief::new(&secret("11"), Some(&last)).lasts, LASTS.0);
    }

    #[test]
    fn no_belief_outlasts_its_time() {
        let mut belief = Belief::new(&secret("10"), None);
        assert!(belief.rest().is_some_and(|rest| rest <= LASTS.0));
        belief.lasts = Duration::ZERO;
        assert_eq!(belief.rest(), None);
    }
}
