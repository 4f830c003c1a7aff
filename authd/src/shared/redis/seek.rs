//! Which server takes what is written? The one that is named, the master that a Sentinel knows, or the node of a Cluster that has the
//! keys.
//!
//! Whoever is found has just written and published as everybody does later: who may not, is full, or is no master is not found.
//! All our keys hash to one slot of a Cluster ([`super::limits`]), so that one node is enough, and `MOVED` says which.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use policy::redis::{Address, Server, Topology};
use rustls::ClientConfig;

use super::connection::Connection;
use super::failure::Failure;
use super::resp::Reply;
use super::{hints, limits};

/// How long a server may take to be connected to.
const CONNECTING: Duration = Duration::from_secs(1);
/// How many servers are tried before it begins again.
const MOST_TRIED: usize = 64;

/// Who is looked for, and how.
#[derive(Debug)]
pub(super) struct Seeker {
    pub(super) address: Address,
    pub(super) tls: Arc<ClientConfig>,
    /// What names of keys and channels begin with.
    pub(super) prefix: String,
    /// How long an answer may take.
    pub(super) budget: Duration,
}

impl Seeker {
    /// A connection to the server that takes what is written.
    ///
    /// # Errors
    /// What the last that was tried answered.
    pub(super) async fn found(&self) -> Result<Connection, Failure> {
        let mut candidates: VecDeque<Server> = self.address.servers.iter().cloned().collect();
        let mut last = Failure::Away;
        for _ in 0..MOST_TRIED {
            let Some(candidate) = candidates.pop_front() else { break };
            match self.tried(&candidate).await {
                Ok(connection) => return Ok(connection),
                Err(failure) => {
                    if let Failure::Elsewhere(server) = &failure {
                        candidates.push_front(server.clone());
                    }
                    last = failure;
                }
            }
        }
        Err(last)
    }

    async fn tried(&self, candidate: &Server) -> Result<Connection, Failure> {
        let mut connection = match &self.address.topology {
            Topology::Single | Topology::Cluster => self.connected(candidate).await?,
            Topology::Sentinel { master } => {
                let master = within(CONNECTING, self.master(candidate, master)).await?;
                self.connected(&master).await?
            }
        };
        within(self.budget, limits::probe(&mut connection, &self.prefix)).await?;
        within(self.budget, hints::probe(&mut connection, &self.prefix)).await?;
        Ok(connection)
    }

    /// A connection to this server, ready for questions.
    async fn connected(&self, server: &Server) -> Result<Connection, Failure> {
        let ready = async {
            let mut connection = Connection::open(server, self.address.protection, &self.tls).await?;
            if let Some(login) = &self.address.login {
                connection.log_in(login).await?;
            }
            if self.address.database > 0 {
                connection.ask(&["SELECT", &self.address.database.to_string()]).await?;
            }
            Ok(connection)
        };
        within(CONNECTING, ready).await
    }

    /// Whom a Sentinel takes for the master.
    async fn master(&self, sentinel: &Server, master: &str) -> Result<Server, Failure> {
        let mut connection = Connection::open(sentinel, self.address.protection, &self.tls).await?;
        // A Sentinel may know nobody by a password, though the servers do; one that wants it refuses the question.
        if let Some(login) = &self.address.login {
            match connection.log_in(login).await {
                Ok(()) | Err(Failure::Refused(_) | Failure::Unfit(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        let answer = connection.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", master]).await?;
        let Reply::List(parts) = answer else {
            return Err(Failure::NoMaster {
                sentinel: sentinel.to_string(),
                master: master.to_owned(),
            });
        };
        match parts.as_slice() {
            [Reply::Text(host), Reply::Text(port)] => Ok(Server {
                host: host.clone(),
                port: port.parse().map_err(|_| Failure::Nonsense)?,
            }),
            _ => Err(Failure::Nonsense),
        }
    }
}

/// What is answered in time.
pub(super) async fn within<T>(time: Duration, answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(time, answer).await.unwrap_or(Err(Failure::Late))
}
