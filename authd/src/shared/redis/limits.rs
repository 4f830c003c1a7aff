//! How are failed guesses counted by all replicas together? By one script, so that nobody guesses between the question and the count.
//!
//! What is counted, and for whom, is as in memory ([`crate::shared::memory`]), which counts too: Redis says what the other replicas
//! saw, and can only refuse more. Its keys hold no names, and each ends by itself. They share a hash tag, so that in a Cluster one
//! node has all of them: a script can reach no further, and they are few, as few as people who mistype.

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::connection::Connection;
use super::failure::Failure;
use super::resp::{self, Reply};
use super::{Reckoning, Redis};
use crate::shared::memory::{End, Rules, Subjects};

const SCRIPT: &str = include_str!("limits.lua");
/// The longest that anybody is told to wait, whatever Redis says, where the window is no longer.
const MOST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// What all replicas together say to a guess.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whether the account is known at the address.
    pub(crate) is_known: bool,
    /// A place, or for how many seconds there is none.
    pub(crate) place: Result<Place, u64>,
}

/// A place for one guess. Dropped without a word the guess counts as a failure.
#[derive(Debug)]
pub(crate) struct Place {
    redis: Redis,
    /// The keys of the subjects that are counted.
    keys: Vec<String>,
    /// The key that marks the pair as known.
    known: Option<String>,
    /// By which it was taken, with the time of the guess, where Redis said it.
    call: Call,
    end: End,
}

impl Redis {
    /// Takes a place for one guess before it is tried. Where Redis does not say in time that there is none, there is one: how the guess
    /// ends is told all the same.
    pub(crate) async fn reserve(&self, subjects: Subjects, is_known: bool, rules: Rules, now: Timestamp) -> Said {
        let name = |subject: String| format!("{}:{subject}", prefix(&self.0.seeker.prefix));
        let [address, account, pair] = subjects.written().map(|subject| subject.map(name));
        let known = pair.as_ref().map(|pair| format!("{pair}:known"));
        let call = Call {
            action: "reserve",
            rules,
            guess: format!("{}-{}", self.0.id, self.0.next.fetch_add(1, Ordering::Relaxed)),
            now,
            more: if is_known { "known" } else { "" }.to_owned(),
        };
        let keys = of([&address, &account, &pair]).chain(known.clone()).collect();
        let answered = self.ask(call.command(keys, self.0.reckoning)).await;
        let answer = self.noted(answered.and_then(|answer| Answer::read(&answer).ok_or(Failure::Nonsense)));
        let is_known = answer.as_ref().map_or(is_known, |answer| answer.is_known);
        let place = answer
            .map_or(Ok(None), |answer| answer.place.map(Some))
            .map(|at| Place {
                redis: self.clone(),
                keys: of([&address, if is_known { &pair } else { &account }]).collect(),
                known,
                call: Call {
                    more: at.as_ref().map(i64::to_string).unwrap_or_default(),
                    ..call
                },
                end: End::Failed,
            });
        let most = u64::try_from(MOST_WAIT.max(rules.window).as_secs()).unwrap_or(u64::MAX);
        Said {
            is_known,
            place: place.map_err(|seconds| seconds.clamp(1, most.max(1))),
        }
    }

    /// What was said; that Redis answers and does not count is told once.
    fn noted(&self, said: Result<Answer, Failure>) -> Option<Answer> {
        match said {
            Ok(said) => {
                self.0.refusing.store(false, Ordering::Release);
                Some(said)
            }
            Err(failure @ (Failure::Refused(_) | Failure::Nonsense)) => {
                if !self.0.refusing.swap(true, Ordering::AcqRel) {
                    tracing::warn!(%failure, "Redis does not count a failed guess: this replica counts it by itself");
                }
                None
            }
            Err(_) => None,
        }
    }
}

impl Place {
    /// Says how the guess ended.
    pub(crate) fn ended(mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Place {
    /// Nobody waits for this: whatever this replica asks next comes after it, and meanwhile the guess counts as one that is tried.
    fn drop(&mut self) {
        let (action, known) = match self.end {
            End::Failed => ("failed", None),
            End::Succeeded => ("succeeded", self.known.take()),
            End::Withdrawn => ("withdrawn", None),
        };
        self.call.action = action;
        let keys = std::mem::take(&mut self.keys).into_iter().chain(known).collect();
        let command = self.call.command(keys, self.redis.0.reckoning);
        self.redis.tell(command);
    }
}

/// What the script is asked.
#[derive(Debug)]
struct Call {
    action: &'static str,
    rules: Rules,
    guess: String,
    now: Timestamp,
    more: String,
}

impl Call {
    /// The text of the script goes with every call: none is missing after a restart or a failover.
    fn command(&self, keys: Vec<String>, reckoning: Reckoning) -> Vec<u8> {
        let whose = match reckoning {
            Reckoning::Redis => "redis",
            Reckoning::Caller => "caller",
        };
        let Rules { limit, window } = self.rules;
        let numbers = [
            self.now.as_millisecond().to_string(),
            limit.to_string(),
            window.as_millis().to_string(),
        ];
        let mut parts = vec!["EVAL".to_owned(), SCRIPT.to_owned(), keys.len().to_string()];
        parts.extend(keys);
        parts.extend([self.action, whose].map(str::to_owned));
        parts.extend(numbers);
        parts.extend([self.guess.clone(), self.more.clone()]);
        resp::command(parts.iter().map(String::as_bytes))
    }
}

/// What the script answered to whoever wants to guess.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    is_known: bool,
    /// When the guess counts, or for how many seconds there is no place.
    place: Result<i64, u64>,
}

impl Answer {
    fn read(reply: &Reply) -> Option<Self> {
        let Reply::List(parts) = reply else { return None };
        let [Reply::Text(what), Reply::Number(number), Reply::Number(known)] = parts.as_slice() else {
            return None;
        };
        let place = match what.as_str() {
            "guess" => Ok(*number),
            "wait" => Err(u64::try_from(*number).ok()?),
            _ => return None,
        };
        Some(Self {
            is_known: *known == 1,
            place,
        })
    }
}

/// Whether what is counted can be written here.
pub(super) async fn probe(connection: &mut Connection, instance: &str) -> Result<(), Failure> {
    let key = format!("{}:probe", prefix(instance));
    let asked = ["EVAL", SCRIPT, "1", &key, "probe", "redis", "0", "0", "0", ""];
    connection.ask(&asked).await.map(|_| ())
}

/// What the names of all keys begin with. What stands in the braces decides which node of a Cluster has them.
fn prefix(instance: &str) -> String {
    format!("{instance}:{{limits}}")
}

/// The keys of these subjects.
fn of<'a>(subjects: impl IntoIterator<Item = &'a Option<String>>) -> impl Iterator<Item = String> {
    let keys = |subject: &String| ["failed", "tried", "block"].map(|what| format!("{subject}:{what}"));
    subjects.into_iter().flatten().flat_map(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_script_answers_is_an_answer() {
        let list = |what: &str, number, known| {
            Reply::List(vec![
                Reply::Text(what.to_owned()),
                Reply::Number(number),
                Reply::Number(known),
            ])
        };
        let answer = |is_known, place| Some(Answer { is_known, place });
        for (reply, expected) in [
            (list("guess", 7, 0), answer(false, Ok(7))),
            (list("wait", 180, 1), answer(true, Err(180))),
            (list("wait", -1, 0), None),
            (list("no", 1, 0), None),
            (Reply::Nothing, None),
            (Reply::Number(1), None),
            (Reply::List(vec![Reply::Number(1)]), None),
        ] {
            assert_eq!(Answer::read(&reply), expected, "{reply:?}");
        }
    }
}
