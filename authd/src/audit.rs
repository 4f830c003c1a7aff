//! Who did what, when, and with what outcome?
//!
//! One JSON line an event, of the fields of [`Event`] and no others: no bodies, no queries, no credentials. A line stays
//! one line whatever a caller sends. Recording never waits: lines go through a bounded queue to a thread of their own, and
//! what does not fit or cannot be written is dropped and counted (`authd_audit_dropped_total`). Where lines are required they are
//! kept until they can be written, and [`Audit::is_kept`] says that nothing else should be done before.
//!
//! Not here: logs for operators and metrics ([`crate::telemetry`]).

mod lines;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;
use uuid::Uuid;

/// How many events may wait to be written.
const QUEUE_LENGTH: usize = 8192;
/// The longest value, in bytes; longer ones are cut.
const MAX_VALUE_BYTES: usize = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// Somebody signed in.
    SignIn,
    /// Somebody tried to sign in and was not let in.
    SignInFailed,
    /// A program exchanged a token of a provider for a session.
    TokenExchanged,
    /// A program tried to exchange a token and got no session.
    TokenExchangeFailed,
    /// Somebody signed out.
    SignOut,
    /// Somebody made an account of their own.
    SignUp,
    /// A request was kept out.
    Refused,
    /// A session or token was revoked.
    Revoked,
    /// Somebody listed sessions with a command.
    SessionsListed,
    /// A password was changed.
    PasswordChanged,
    /// Somebody made an API key.
    KeyCreated,
    /// An API key was deleted.
    KeyDeleted,
    /// An administrator changed an account's role.
    RoleChanged,
    /// An administrator made an account.
    UserCreated,
    /// An administrator keeps an account out.
    UserDisabled,
    /// An administrator lets an account in again.
    UserEnabled,
    /// An administrator deleted an account.
    UserDeleted,
    /// Somebody took accounts over from another program.
    AccountsImported,
    /// A key that signs session tokens was taken away: nothing that it signed is accepted any more.
    SigningKeyRevoked,
    /// Somebody linked a way to sign in to their account.
    IdentityLinked,
    /// Somebody unlinked a way to sign in from their account.
    IdentityUnlinked,
    /// A Snapshot was put to use.
    ConfigLoaded,
    /// A change of the resources has problems: the Snapshot before it goes on serving.
    ConfigRefused,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// As the actor wanted.
    Success,
    /// Not so; `reason` says why.
    Failure,
}

/// One event. Never put a secret, a body or what stood in a password field into any member.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// What.
    #[serde(rename = "event")]
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, out of a fixed list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The account that acted.
    #[serde(rename = "actor.id", skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<Uuid>,
    /// Its e-mail address; only of accounts that exist, as people type passwords into this field.
    #[serde(
        rename = "actor.email",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub actor_email: Option<String>,
    /// Who ran a command: their name in the operating system, and the machine.
    #[serde(
        rename = "actor.name",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub actor_name: Option<String>,
    /// The account, session, API key or signing key that was acted upon; or `everybody`, or `provider/NAME`.
    #[serde(
        rename = "subject.id",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub subject_id: Option<String>,
    /// The API key that was shown, by its name: `ApiKey/NAMESPACE/NAME`, or `key/ID` for one that somebody made. Never the key.
    #[serde(rename = "key.name", skip_serializing_if = "Option::is_none", serialize_with = "cut")]
    pub key_name: Option<String>,
    /// The provider or kind of credential.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "cut")]
    pub method: Option<String>,
    /// The caller's address.
    #[serde(rename = "client.address", skip_serializing_if = "Option::is_none")]
    pub client_address: Option<std::net::IpAddr>,
    /// The request.
    #[serde(
        rename = "request.id",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub request_id: Option<String>,
    /// The host that was to be reached.
    #[serde(
        rename = "target.host",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub target_host: Option<String>,
    /// The path that was to be reached; a query is cut off.
    #[serde(
        rename = "target.path",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut_path"
    )]
    pub target_path: Option<String>,
    /// The Snapshot that decided.
    #[serde(
        rename = "snapshot.digest",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub snapshot_digest: Option<String>,
    /// The policy that decided.
    #[serde(
        rename = "policy.name",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub policy_name: Option<String>,
    /// The rule of it.
    #[serde(
        rename = "policy.rule",
        skip_serializing_if = "Option::is_none",
        serialize_with = "cut"
    )]
    pub policy_rule: Option<String>,
}

impl Event {
    /// An event of which nothing more is known.
    pub fn new(time: Timestamp, kind: Kind, outcome: Outcome) -> Self {
        Self {
            time,
            kind,
            outcome,
            reason: None,
            actor_id: None,
            actor_email: None,
            actor_name: None,
            subject_id: None,
            key_name: None,
            method: None,
            client_address: None,
            request_id: None,
            target_host: None,
            target_path: None,
            snapshot_digest: None,
            policy_name: None,
            policy_rule: None,
        }
    }

    /// The event as one line of JSON with its end.
    fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(512);
        let mut serializer = serde_json::Serializer::with_formatter(&mut line, OneLine);
        // Every member is a text, an enum or a number: none of them can fail.
        let _ = self.serialize(&mut serializer);
        line.push(b'\n');
        line
    }
}

/// What becomes of lines that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// They are dropped and counted, and all goes on.
    Tried,
    /// They wait until they can be, and meanwhile nothing should be done that would leave another.
    Required,
}

/// Takes events and never waits; clones write to the same place.
#[derive(Clone, Debug)]
pub struct Audit {
    keeping: Keeping,
    queue: SyncSender<Event>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    counts: Mutex<Counts>,
    settled: Condvar,
    /// Whether lines that are required wait to be written.
    is_stuck: AtomicBool,
}

#[derive(Debug, Default)]
struct Counts {
    taken: u64,
    settled: u64,
}

impl Audit {
    /// Starts writing to `sink`; ends when the last clone is dropped.
    pub fn start(sink: impl Write + Send + 'static, keeping: Keeping) -> io::Result<Self> {
        Self::start_with(sink, keeping, QUEUE_LENGTH)
    }

    fn start_with(sink: impl Write + Send + 'static, keeping: Keeping, queue_length: usize) -> io::Result<Self> {
        let (queue, events) = sync_channel(queue_length);
        let progress = Arc::new(Progress::default());
        let seen = Arc::clone(&progress);
        thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || lines::write_all(sink, keeping, &events, &seen))?;
        Ok(Self {
            keeping,
            queue,
            progress,
        })
    }

    /// Whether what is done is on record, where that is required.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !self.progress.is_stuck()
    }

    /// Has an event written soon, or drops and counts it where too many wait.
    pub fn record(&self, event: Event) {
        // Counted before it is sent, or the writer could be ahead of the count.
        self.progress.lock().taken += 1;
        if !self.takes(event) {
            self.progress.settle(1);
            dropped(1);
        }
    }

    fn takes(&self, event: Event) -> bool {
        match self.queue.try_send(event) {
            Err(TrySendError::Full(event)) if self.keeping == Keeping::Required => {
                // Tried once more after that is said: whoever writes what waits says afterwards that it goes on.
                self.progress.stops(&"too many wait to be written");
                self.queue.try_send(event).is_ok()
            }
            sent => sent.is_ok(),
        }
    }

    /// Waits until what was recorded before is written or dropped, at most `within`. False if it took longer.
    pub fn flush(&self, within: Duration) -> bool {
        let counts = self.progress.lock();
        let target = counts.taken;
        let waited = self
            .progress
            .settled
            .wait_timeout_while(counts, within, |counts| counts.settled < target);
        let (counts, _) = waited.unwrap_or_else(PoisonError::into_inner);
        counts.settled >= target
    }
}

impl Progress {
    fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire)
    }

    /// Required lines wait. It is said once.
    fn stops(&self, why: &dyn std::fmt::Display) {
        if !self.is_stuck.swap(true, Ordering::AcqRel) {
            tracing::error!(error = %why, "audit lines cannot be written to where `--audit` says: until they are, only what anybody may do is done");
        }
    }

    /// They are written.
    fn goes_on(&self) {
        if self.is_stuck.swap(false, Ordering::AcqRel) {
            tracing::info!("audit lines are written again");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, events: u64) {
        self.lock().settled += events;
        self.settled.notify_all();
    }
}

fn dropped(events: u64) {
    metrics::counter!("authd_audit_dropped_total").increment(events);
}

fn cut<S: Serializer>(value: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    let value = value.as_deref().unwrap_or_default();
    if value.len() <= MAX_VALUE_BYTES {
        return to.serialize_str(value);
    }
    let end = value.floor_char_boundary(MAX_VALUE_BYTES);
    to.collect_str(&format_args!("{}…", value.get(..end).unwrap_or_default()))
}

fn cut_path<S: Serializer>(value: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    let path = value.as_deref().and_then(|path| path.split(['?', '#']).next());
    cut(&path.map(str::to_owned), to)
}

/// JSON whose texts have no character that a terminal or a line reader would act on.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        for letter in fragment.chars() {
            if letter.is_control()
                || matches!(letter, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(to, "\\u{:04x}", u32::from(letter))?;
            } else {
                write!(to, "{letter}")?;
            }
        }
        Ok(())
    }
}
