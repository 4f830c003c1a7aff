//! What people do with commands: who they are, and how it gets into the audit lines of a server.

use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::audit::{Event, Kind, Outcome};
use crate::random::Random;
use crate::store::{self, Act, Store, What};

/// How long the audit sink may take before a line counts as not written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// Notes what a command did, for the audit lines of a server on this database.
///
/// # Errors
/// The database does not answer.
pub async fn note(store: &Store, what: What, subject: String, now: Timestamp) -> Result<(), store::Error> {
    let act = Act {
        id: Random::System.id(now),
        at: now,
        what,
        actor: whoever(),
        subject,
    };
    store.note_act(&act).await
}

/// Tells of what was done with commands since the last time.
///
/// # Errors
/// The database does not answer.
pub async fn tell(app: &App) -> Result<(), store::Error> {
    let write = |acts: &[Act]| {
        acts.iter().for_each(|act| app.audit.record(line(act)));
        app.audit.flush(WRITTEN_WITHIN)
    };
    while app.store.tell_acts(write).await? > 0 {}
    Ok(())
}

fn line(act: &Act) -> Event {
    let kind = match act.what {
        What::SessionsListed => Kind::SessionsListed,
        What::SessionsEnded => Kind::Revoked,
        What::AccountsImported => Kind::AccountsImported,
        What::SigningKeyRevoked => Kind::SigningKeyRevoked,
    };
    Event {
        reason: Some("CommandLine"),
        actor_name: Some(act.actor.clone()),
        subject_id: Some(act.subject.clone()),
        ..Event::new(act.at, kind, Outcome::Success)
    }
}

/// Who runs this command: the name in the operating system, or the number where there is no name, and the machine.
fn whoever() -> String {
    let number = rustix::process::getuid().as_raw();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name(&known, number).unwrap_or_else(|| format!("uid {number}"));
    format!("{name}@{}", machine.trim())
}

/// The name of a user, as `passwd(5)` lists them.
fn name(known: &str, number: u32) -> Option<String> {
    known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number_there) = (fields.next()?, fields.nth(1)?);
        (number_there == number.to_string()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_user_is_named_where_there_is_a_name() {
        let known = "root:x:0:0:root:/root:/bin/sh\n\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n";
        for (number, expected) in [(0, Some("root")), (1000, Some("ann")), (100, None), (1, None)] {
            assert_eq!(name(known, number).as_deref(), expected, "{number}");
        }
    }
}
