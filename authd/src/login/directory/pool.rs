//! Which connection is a question asked on?
//!
//! There are at most as many connections as are configured; whoever finds none free waits, and where too many wait already is
//! refused at once. A connection comes back only while it is bound as whoever looks people up, with no question left open: one
//! that a person was bound on, or that was given up in the middle, is closed.
//!
//! Servers are asked in their order. One that failed is asked last for a while.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use policy::directory::filter::Node;
use policy::directory::{self, Bind, Directory, Scope};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::connection::{Connection, Standing};
use super::failure::Failure;
use super::message::{Outcome, Places, Search};
use super::tls::Tls;

/// How long a server that failed is asked last.
const AVOIDED_FOR: Duration = Duration::from_secs(30);
/// A connection that nothing was asked on for so long is tried before it is used.
const TRIED_AFTER: Duration = Duration::from_secs(20);
/// A connection is not used for longer than this, so that a server that was away is gone back to.
const USED_FOR: Duration = Duration::from_secs(300);
/// How many may wait, for each connection.
const WAITING_EACH: usize = 32;

/// Connections to one directory.
#[derive(Debug)]
pub(super) struct Pool {
    servers: Vec<directory::Server>,
    tls: Result<Tls, String>,
    bind: Bind,
    connect: Duration,
    slots: Semaphore,
    most: usize,
    taken: AtomicUsize,
    idle: Mutex<Vec<Idle>>,
    /// Until when each server is asked last.
    avoided: Mutex<Vec<Option<Instant>>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    origin: Origin,
    used: Instant,
}

/// To which server a connection goes, and since when.
#[derive(Clone, Copy, Debug)]
struct Origin {
    server: usize,
    made: Instant,
}

/// A connection for one sign-in.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    origin: Origin,
    _slot: SemaphorePermit<'a>,
    _turn: Turn<'a>,
}

#[derive(Debug)]
struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pool {
    pub(super) fn new(directory: &Directory) -> Self {
        let most = usize::try_from(directory.limits.connections)
            .unwrap_or(usize::MAX)
            .max(1);
        Self {
            servers: directory.servers.clone(),
            tls: Tls::new(&directory.tls),
            bind: directory.bind.clone(),
            connect: Duration::from_millis(directory.limits.connect),
            slots: Semaphore::new(most.min(Semaphore::MAX_PERMITS)),
            most,
            taken: AtomicUsize::new(0),
            idle: Mutex::default(),
            avoided: Mutex::new(vec![None; directory.servers.len()]),
        }
    }

    /// A connection that is bound as whoever looks people up.
    pub(super) async fn take(&self) -> Result<Lease<'_>, Failure> {
        let turn = Turn(&self.taken);
        if self.taken.fetch_add(1, Ordering::AcqRel) >= self.most.saturating_mul(1 + WAITING_EACH) {
            return Err(Failure::Busy);
        }
        let slot = self.slots.acquire().await.map_err(|_| Failure::Busy)?;
        let (connection, origin) = match self.idle_one().await {
            Some(known) => known,
            None => self.open().await?,
        };
        Ok(Lease {
            pool: self,
            connection: Some(connection),
            origin,
            _slot: slot,
            _turn: turn,
        })
    }

    /// One that was used before and is still good.
    async fn idle_one(&self) -> Option<(Connection, Origin)> {
        loop {
            let Idle {
                mut connection,
                origin,
                used,
            } = locked(&self.idle).pop()?;
            let is_old = origin.made.elapsed() > USED_FOR;
            if is_old || !connection.is_quiet() {
                continue;
            }
            if used.elapsed() < TRIED_AFTER || timeout(self.connect, answers(&mut connection)).await.unwrap_or(false) {
                return Some((connection, origin));
            }
        }
    }

    /// A new one, to the first server that works.
    async fn open(&self) -> Result<(Connection, Origin), Failure> {
        let mut first = None;
        for index in self.order() {
            let Some(server) = self.servers.get(index) else {
                continue;
            };
            let opened = timeout(self.connect, self.open_to(server)).await;
            let failure = match opened.unwrap_or(Err(unanswered(server))) {
                Ok(connection) => {
                    self.note(index, None);
                    let made = Instant::now();
                    return Ok((connection, Origin { server: index, made }));
                }
                Err(failure) => failure,
            };
            if !failure.is_of_the_server() {
                return Err(failure);
            }
            tracing::warn!(server = %server.url, reason = failure.reason(), error = %failure, "a directory's server does not work");
            self.avoid(index);
            first.get_or_insert(failure);
        }
        Err(first.unwrap_or(Failure::TimedOut))
    }

    async fn open_to(&self, server: &directory::Server) -> Result<Connection, Failure> {
        let tls = self.tls.as_ref().map_err(|what| Failure::TlsUnusable(what.clone()))?;
        let mut connection = Connection::open(server, tls).await?;
        self.bind_as_ours(&mut connection).await?;
        Ok(connection)
    }

    async fn bind_as_ours(&self, connection: &mut Connection) -> Result<(), Failure> {
        let (name, password) = match &self.bind {
            Bind::Application { name, password } => (name.as_str(), policy::secret::expose(password)),
            Bind::Anonymous | Bind::Person(_) => ("", &[][..]),
        };
        let outcome = connection.bind(name, password).await?;
        if outcome.code != 0 {
            return Err(Failure::ApplicationBindRefused(described(&outcome)));
        }
        connection.stands(Standing::Ours);
        Ok(())
    }

    /// The servers in their order, those that failed lately at the end.
    fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let avoided = locked(&self.avoided);
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        order.sort_by_key(|index| avoided.get(*index).copied().flatten().filter(|until| *until > now));
        order
    }

    /// Asks a server last for a while; what leads to it is not used again.
    fn avoid(&self, index: usize) {
        self.note(index, Some(Instant::now() + AVOIDED_FOR));
        locked(&self.idle).retain(|idle| idle.origin.server != index);
    }

    fn note(&self, index: usize, until: Option<Instant>) {
        if let Some(known) = locked(&self.avoided).get_mut(index) {
            *known = until;
        }
    }
}

impl Lease<'_> {
    /// The connection.
    pub(super) fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.connection.as_mut().ok_or(Failure::Busy)
    }

    /// Binds it again as whoever looks people up.
    pub(super) async fn bind_as_ours(&mut self) -> Result<(), Failure> {
        let pool = self.pool;
        pool.bind_as_ours(self.connection()?).await
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        match connection.standing() {
            Standing::Ours => locked(&self.pool.idle).push(Idle {
                connection,
                origin: self.origin,
                used: Instant::now(),
            }),
            Standing::Theirs => {}
            Standing::Unclear => self.pool.avoid(self.origin.server),
        }
    }
}

/// Whether the server answers at all: every server has an entry without a name.
async fn answers(connection: &mut Connection) -> bool {
    let search = Search {
        base: "",
        scope: Scope::Base,
        filter: &Node::Present("objectClass".to_owned()),
        places: Places::default(),
        attributes: &[],
        most: 1,
    };
    connection.search(&search).await.is_ok()
}

/// What a server says of a refusal, with its number.
pub(super) fn described(outcome: &Outcome) -> String {
    if outcome.diagnostic.is_empty() {
        format!("result {}", outcome.code)
    } else {
        format!("result {}: {}", outcome.code, outcome.diagnostic)
    }
}

fn unanswered(server: &directory::Server) -> Failure {
    Failure::ServerUnreachable {
        server: server.url.clone(),
        what: "no connection in time".to_owned(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
