//! Why was nothing heard of Redis? For whoever runs it, in the log and in metrics; nobody else is told.

use policy::redis::Server;

use super::resp::{Nonsense, Reply};

/// How much of a server's own words is kept.
const MOST_WORDS: usize = 200;

/// Why nothing was heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// It was not asked: it did not answer before.
    #[error("it did not answer before")]
    Away,
    /// No connection was made.
    #[error("`{server}` cannot be reached: {what}")]
    Unreachable { server: String, what: String },
    /// It did not answer in time.
    #[error("it does not answer in time")]
    Late,
    /// The connection ended.
    #[error("it ended the connection")]
    Lost,
    /// What it says is no answer.
    #[error("what it says is no answer of a Redis server")]
    Nonsense,
    /// It refused this one question.
    #[error("it answers `{0}`")]
    Refused(String),
    /// It refuses whatever is asked: it is no master, is full, or the user may not.
    #[error("it takes nothing: {0}")]
    Unfit(String),
    /// Another node has the keys.
    #[error("`{0}` has the keys")]
    Elsewhere(Server),
    /// A Sentinel knows no such master.
    #[error("the Sentinel `{sentinel}` knows no master `{master}`")]
    NoMaster { sentinel: String, master: String },
}

impl Failure {
    /// The name in metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Late => "late",
            Self::Unreachable { .. } | Self::Lost | Self::Nonsense => "lost",
            Self::Refused(_) | Self::Unfit(_) | Self::Elsewhere(_) | Self::NoMaster { .. } => "refused",
        }
    }

    /// What an error means that the server answered with.
    pub(super) fn of(error: &str, asked: &Server) -> Self {
        let said: String = error.chars().take(MOST_WORDS).collect();
        let mut words = error.split_ascii_whitespace();
        match words.next() {
            // About one question: a key of another type, or a value in it that is none of ours.
            Some("WRONGTYPE" | "ERR") => Self::Refused(said),
            Some("MOVED") => words
                .nth(1)
                .and_then(|at| elsewhere(at, asked))
                .map_or(Self::Unfit(said), Self::Elsewhere),
            _ => Self::Unfit(said),
        }
    }
}

impl From<Nonsense> for Failure {
    fn from(_: Nonsense) -> Self {
        Self::Nonsense
    }
}

/// The node that another names; without a host it is the same.
fn elsewhere(text: &str, asked: &Server) -> Option<Server> {
    let (host, port) = text.rsplit_once(':')?;
    let host = if host.is_empty() { &asked.host } else { host };
    Some(Server {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: port.parse().ok()?,
    })
}

/// What was answered, where it is no error.
pub(super) fn answered(reply: Reply, asked: &Server) -> Result<Reply, Failure> {
    match reply {
        Reply::Error(error) => Err(Failure::of(&error, asked)),
        reply => Ok(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_about_one_question_or_about_the_server() {
        let asked = Server {
            host: "one".to_owned(),
            port: 7000,
        };
        let server = |host: &str, port| Server {
            host: host.to_owned(),
            port,
        };
        for (error, expected) in [
            (
                "WRONGTYPE Operation",
                Failure::Refused("WRONGTYPE Operation".to_owned()),
            ),
            ("ERR no such", Failure::Refused("ERR no such".to_owned())),
            ("READONLY You", Failure::Unfit("READONLY You".to_owned())),
            ("NOPERM", Failure::Unfit("NOPERM".to_owned())),
            ("", Failure::Unfit(String::new())),
            ("MOVED 12 10.0.0.2:7001", Failure::Elsewhere(server("10.0.0.2", 7001))),
            ("MOVED 12 :7002", Failure::Elsewhere(server("one", 7002))),
            ("MOVED 12 fd00::1:7001", Failure::Elsewhere(server("fd00::1", 7001))),
            // The slot is on its way to another node.
            ("ASK 12 two:1", Failure::Unfit("ASK 12 two:1".to_owned())),
            ("MOVED 12", Failure::Unfit("MOVED 12".to_owned())),
            ("MOVED 12 two:x", Failure::Unfit("MOVED 12 two:x".to_owned())),
        ] {
            assert_eq!(Failure::of(error, &asked), expected, "{error}");
        }
        let long = Failure::of(&"X".repeat(10_000), &asked).to_string();
        assert!(long.len() < 300, "a server's words are cut: {}", long.len());
    }
}
