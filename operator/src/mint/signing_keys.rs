//! Keys that sign tokens: the next one is published ahead of its use, and one that signs no more stays for as long as its tokens.

use crds::published::{INSTANCE_LABEL, SIGNING_KEYS_ENTRY, signing_keys_secret};
use crds::{Algorithm, Authd};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;
use policy::secret::secret;
use policy::snapshot::SigningKey;
use serde_json::json;

use super::{Due, NoRandomness, Source, Work};
use crate::inventory::Inventory;

/// How long before it signs a key is published, so that whoever caches the keys has it by then.
const AHEAD_SECONDS: i64 = 600;
/// How long after its last token has ended a key still verifies, for clocks that differ.
const SKEW_SECONDS: i64 = 60;

/// Adds what is due for every Authd.
pub(super) fn due(
    inventory: &Inventory,
    now: Timestamp,
    source: &mut impl Source,
    due: &mut Due,
) -> Result<(), NoRandomness> {
    for authd in &inventory.resources.authds {
        let namespace = authd.namespace().unwrap_or_default();
        if authd.spec.tokens.algorithm != Algorithm::EdDSA || !inventory.may_make_in(&namespace) {
            continue;
        }
        let name = signing_keys_secret(&authd.name_any());
        let kept = inventory.secret(&namespace, &name);
        let entry = kept.and_then(|secret| secret.data.as_ref()?.get(SIGNING_KEYS_ENTRY));
        let Ok(keys) = entry.map_or(Ok(Vec::new()), |entry| {
            serde_json::from_slice::<Vec<SigningKey>>(&entry.0)
        }) else {
            // Compiling says what to do about it.
            continue;
        };
        let Some(schedule) = Schedule::of(authd) else { continue };
        let Some(changed) = schedule.next(keys, now.as_second(), source, due)? else {
            continue;
        };
        let Ok(text) = serde_json::to_vec(&changed) else {
            continue;
        };
        due.work.push(match kept {
            None => Work::Make(Box::new(made(authd, &name, text))),
            Some(secret) => Work::Change {
                change: json!({
                    "metadata": { "resourceVersion": secret.resource_version() },
                    "data": { SIGNING_KEYS_ENTRY: ByteString(text) },
                }),
                namespace,
                name,
            },
        });
    }
    Ok(())
}

fn made(authd: &Authd, name: &str, text: Vec<u8>) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: authd.namespace(),
            labels: Some([(INSTANCE_LABEL.to_owned(), authd.name_any())].into()),
            ..ObjectMeta::default()
        },
        data: Some([(SIGNING_KEYS_ENTRY.to_owned(), ByteString(text))].into()),
        type_: Some("authd.dev/signing-keys".to_owned()),
        ..Secret::default()
    }
}

/// When keys come and go, in seconds.
struct Schedule {
    every: i64,
    /// `None`: tokens have no end, so that keys stay.
    lifetime: Option<i64>,
    revoked_before: Option<i64>,
}

impl Schedule {
    fn of(authd: &Authd) -> Option<Self> {
        let tokens = &authd.spec.tokens;
        Some(Self {
            every: i64::try_from(tokens.rotate_every.seconds().ok()??)
                .ok()?
                .max(2 * AHEAD_SECONDS),
            lifetime: tokens
                .lifetime
                .seconds()
                .ok()?
                .and_then(|seconds| i64::try_from(seconds).ok()),
            revoked_before: tokens.revoke_keys_made_before.as_ref().map(|time| time.0.as_second()),
        })
    }

    /// The keys as they should be now; `None`: as they are.
    fn next(
        &self,
        mut keys: Vec<SigningKey>,
        now: i64,
        source: &mut impl Source,
        due: &mut Due,
    ) -> Result<Option<Vec<SigningKey>>, NoRandomness> {
        let before = keys.len();
        keys.sort_by_key(|key| key.signs_from);
        keys.retain(|key| self.revoked_before.is_none_or(|moment| key.made_at >= moment));
        self.forget(&mut keys, now, due);
        let mut changed = keys.len() != before;
        // Nothing signs now: after a revocation there is no time to publish ahead.
        if !keys.iter().any(|key| key.signs_from <= now) {
            keys.insert(0, self.made(now, now, source)?);
            changed = true;
        }
        if let Some(newest) = keys.last() {
            let signs_from = newest.signs_from.saturating_add(self.every);
            if signs_from - AHEAD_SECONDS <= now {
                let key = self.made(now, signs_from.max(now + AHEAD_SECONDS), source)?;
                keys.push(key);
                changed = true;
            } else {
                at(due, signs_from - AHEAD_SECONDS);
            }
        }
        Ok(changed.then_some(keys))
    }

    /// A key verifies until the tokens that it signed have ended, which it did until its successor began.
    fn forget(&self, keys: &mut Vec<SigningKey>, now: i64, due: &mut Due) {
        let Some(lifetime) = self.lifetime else { return };
        let ends: Vec<i64> = keys
            .iter()
            .skip(1)
            .map(|successor| {
                successor
                    .signs_from
                    .saturating_add(lifetime)
                    .saturating_add(SKEW_SECONDS)
            })
            .collect();
        let mut ends = ends.into_iter();
        keys.retain(|_| match ends.next() {
            Some(end) if end <= now => false,
            Some(end) => {
                at(due, end);
                true
            }
            None => true,
        });
    }

    fn made(&self, now: i64, signs_from: i64, source: &mut impl Source) -> Result<SigningKey, NoRandomness> {
        // A key that is made in the second of a revocation, or before it by a slow clock, is none of the revoked.
        let made_at = self.revoked_before.map_or(now, |moment| now.max(moment));
        Ok(SigningKey {
            pair: secret(&source.signing_key()?),
            made_at,
            signs_from,
        })
    }
}

fn at(due: &mut Due, second: i64) {
    if let Ok(moment) = Timestamp::from_second(second) {
        due.at(moment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes keys that can be told apart.
    struct Counter(u8);

    impl Source for Counter {
        fn api_key(&mut self) -> Result<String, NoRandomness> {
            unreachable!("no API key is made here")
        }

        fn signing_key(&mut self) -> Result<Vec<u8>, NoRandomness> {
            self.0 += 1;
            Ok(vec![self.0])
        }
    }

    const DAY: i64 = 86_400;

    /// The keys as `number made_at signs_from`, in days and seconds after the start.
    #[track_caller]
    fn check(schedule: &Schedule, from: &mut Vec<SigningKey>, now: i64, expected: &[(u8, i64, i64)]) {
        let number = from
            .iter()
            .map(|key| policy::secret::expose(&key.pair)[0])
            .max()
            .unwrap_or(0);
        if let Some(next) = schedule
            .next(from.clone(), now, &mut Counter(number), &mut Due::default())
            .unwrap()
        {
            *from = next;
        }
        let found: Vec<(u8, i64, i64)> = from
            .iter()
            .map(|key| (policy::secret::expose(&key.pair)[0], key.made_at, key.signs_from))
            .collect();
        assert_eq!(found, expected, "at {now}");
        let again = schedule
            .next(from.clone(), now, &mut Counter(99), &mut Due::default())
            .unwrap();
        assert!(again.is_none(), "at {now}: settled");
    }

    #[test]
    fn keys_are_published_ahead_and_outlive_their_tokens() {
        let mut schedule = Schedule {
            every: 30 * DAY,
            lifetime: Some(DAY),
            revoked_before: None,
        };
        let keys = &mut Vec::new();
        check(&schedule, keys, 0, &[(1, 0, 0)]);
        let second = (2, 30 * DAY - 600, 30 * DAY);
        check(&schedule, keys, 30 * DAY - 601, &[(1, 0, 0)]);
        check(&schedule, keys, 30 * DAY - 600, &[(1, 0, 0), second]);
        check(&schedule, keys, 31 * DAY + 59, &[(1, 0, 0), second]);
        check(&schedule, keys, 31 * DAY + 60, &[second]);
        let late = (3, 70 * DAY, 70 * DAY + 600);
        check(&schedule, keys, 70 * DAY, &[second, late]);
        schedule.revoked_before = Some(70 * DAY + 5);
        check(&schedule, keys, 70 * DAY + 5, &[(4, 70 * DAY + 5, 70 * DAY + 5)]);
    }

    #[test]
    fn keys_of_tokens_without_an_end_stay() {
        let schedule = Schedule {
            every: DAY,
            lifetime: None,
            revoked_before: None,
        };
        let keys = &mut Vec::new();
        check(&schedule, keys, 0, &[(1, 0, 0)]);
        check(&schedule, keys, DAY, &[(1, 0, 0), (2, DAY, DAY + 600)]);
        check(
            &schedule,
            keys,
            9 * DAY,
            &[(1, 0, 0), (2, DAY, DAY + 600), (3, 9 * DAY, 9 * DAY + 600)],
        );
    }

    #[test]
    fn a_revocation_of_the_future_counts_from_now_on() {
        let schedule = Schedule {
            every: DAY,
            lifetime: None,
            revoked_before: Some(50),
        };
        check(&schedule, &mut Vec::new(), 0, &[(1, 50, 0)]);
    }
}
