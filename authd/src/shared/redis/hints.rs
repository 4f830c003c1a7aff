//! How does a replica hear at once that another wrote something? By a hint: look at the database now.
//!
//! A hint says nothing else, so there is nothing in it to believe. One that is lost costs half a second, as replicas look every half
//! second anyway (`serve/database.rs`); one that is made up costs a look.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::failure::Failure;
use super::resp::{self, Reply};
use super::seek::{Seeker, within};
use super::{PROBE_EVERY, Redis};

/// After how long without a word the server is asked whether it is there, and how long it may take to say so.
const QUIET: Duration = Duration::from_secs(2);
/// The least between two looks, however many hints there are.
const GAP: Duration = Duration::from_millis(10);

impl Redis {
    /// Tells the other replicas to look at the database. Nobody waits for it.
    pub fn hint(&self) {
        let (channel, id) = (channel(&self.0.seeker.prefix), &self.0.id);
        self.tell(resp::command(["PUBLISH", &channel, id].map(str::as_bytes)));
    }

    /// Returns when there is something new in the database, or may be.
    pub async fn hinted(&self) {
        self.0.hinted.notified().await;
    }

    /// Hears hints until the stop.
    pub async fn listen(&self, stop: CancellationToken) {
        let mut tries = tokio::time::interval(PROBE_EVERY);
        tries.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tries.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                // Why it ended is said by whoever asks questions there.
                failure = self.heard() => tracing::debug!(%failure, "hints of other replicas are not heard for a moment"),
            }
        }
    }

    /// Hears hints until the connection ends.
    async fn heard(&self) -> Failure {
        let ended = async {
            let mut connection = subscribed(&self.0.seeker).await?;
            loop {
                // What was written while nobody listened is new too; so this comes first.
                self.0.hinted.notify_one();
                tokio::time::sleep(GAP).await;
                while !is_hint(&next(&mut connection).await?, &self.0.id) {}
            }
        };
        let ended: Result<std::convert::Infallible, Failure> = ended.await;
        match ended {
            Err(failure) => failure,
        }
    }
}

/// A connection over which hints come.
async fn subscribed(seeker: &Seeker) -> Result<Connection, Failure> {
    let mut connection = seeker.found().await?;
    let channel = channel(&seeker.prefix);
    let asked = ["SUBSCRIBE", &channel];
    within(QUIET, connection.ask(&asked)).await?;
    Ok(connection)
}

/// What the server says next; a server that says nothing for long is asked whether it is there.
async fn next(connection: &mut Connection) -> Result<Reply, Failure> {
    if let Ok(reply) = tokio::time::timeout(QUIET, connection.hear()).await {
        return reply;
    }
    connection.say(&resp::command([b"PING".as_slice()])).await?;
    within(QUIET, connection.hear()).await
}

/// Whether somebody else says that there is something new.
fn is_hint(said: &Reply, own: &str) -> bool {
    let Reply::List(parts) = said else { return false };
    matches!(parts.as_slice(), [Reply::Text(kind), _, Reply::Text(whose)] if kind == "message" && whose != own)
}

/// Whether hints can be given here. It is one: whoever comes back may have something to say.
pub(super) async fn probe(connection: &mut Connection, instance: &str) -> Result<(), Failure> {
    let asked = ["PUBLISH", &channel(instance), ""];
    connection.ask(&asked).await.map(|_| ())
}

fn channel(instance: &str) -> String {
    format!("{instance}:changes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_message_of_somebody_else() {
        let list = |parts: &[&str]| Reply::List(parts.iter().map(|part| Reply::Text((*part).to_owned())).collect());
        for (said, expected) in [
            (list(&["message", "authd:changes", "other"]), true),
            (list(&["message", "authd:changes", ""]), true),
            (list(&["message", "authd:changes", "own"]), false),
            (list(&["pong", ""]), false),
            (list(&["subscribe", "authd:changes", "1"]), false),
            (list(&["message"]), false),
            (Reply::Text("PONG".to_owned()), false),
            (Reply::Nothing, false),
        ] {
            assert_eq!(is_hint(&said, "own"), expected, "{said:?}");
        }
    }
}
