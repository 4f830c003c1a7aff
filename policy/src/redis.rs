//! Where is a Redis, and how is it reached? The URL that an Authd names, read once and by everybody in the same way.
//!
//! Several servers stand in one URL, separated by commas: those of a Sentinel, or nodes of a Cluster.

use std::fmt;

use crate::secret::{Secret, secret};

#[cfg(test)]
mod tests;

/// The most servers that a URL may name.
const MOST_SERVERS: usize = 32;

/// Where a Redis is.
#[derive(Clone, Debug)]
pub struct Address {
    /// How its servers belong together.
    pub topology: Topology,
    /// The servers to begin with, of which there is at least one.
    pub servers: Vec<Server>,
    /// How connections are protected.
    pub protection: Protection,
    /// As whom; `None`: as everybody.
    pub login: Option<Login>,
    /// The number of the database.
    pub database: u32,
}

/// How the servers of a Redis belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topology {
    /// There is one.
    Single,
    /// Those that are named are Sentinels, which know who is the master of this name.
    Sentinel {
        /// The name of the master.
        master: String,
    },
    /// Each has a part of the keys, and knows who has the others.
    Cluster,
}

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// How connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// By TLS.
    Tls,
    /// Not at all.
    None,
}

/// As whom Redis is used.
#[derive(Clone, Debug)]
pub struct Login {
    /// A user of its ACL; `None`: the one called `default`.
    pub user: Option<String>,
    /// The password.
    pub password: Secret,
}

/// A URL that does not say where a Redis is. It is not shown: it may have a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// It begins with something else.
    #[error(
        "it must read `redis://USER:PASSWORD@HOST:PORT/DATABASE`, `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER` or \
         `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT`, with `rediss` in place of `redis` for TLS"
    )]
    Scheme,
    /// What stands before the `@`.
    #[error(
        "before the `@` it must read `USER:PASSWORD` or `:PASSWORD`, in which `%`, `/`, `@` and `,` are written as `%25` and so on"
    )]
    Login,
    /// A server among those that are named.
    #[error("its server number {0} is none: it must read `HOST` or `HOST:PORT`, with an IPv6 address in brackets")]
    Server(usize),
    /// There are none, or too many.
    #[error("it must name 1 to {MOST_SERVERS} servers, and without `+sentinel` or `+cluster` exactly one")]
    Servers,
    /// What follows the servers.
    #[error(
        "after the servers may stand `/DATABASE`, a number; with `+sentinel` there must be `/MASTER` or `/MASTER/DATABASE`, and with \
         `+cluster` nothing"
    )]
    Path,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none.
    pub fn read(url: &str) -> Result<Self, NotAnAddress> {
        let (scheme, rest) = url.trim().split_once("://").ok_or(NotAnAddress::Scheme)?;
        let (protection, kind) = match scheme.split_once('+').unwrap_or((scheme, "")) {
            ("redis", kind) => (Protection::None, kind),
            ("rediss", kind) => (Protection::Tls, kind),
            _ => return Err(NotAnAddress::Scheme),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, servers) = match authority.rsplit_once('@') {
            Some((login, servers)) => (Some(read_login(login)?), servers),
            None => (None, authority),
        };
        let (topology, database) = match kind {
            "" => (Topology::Single, database(path)?),
            "sentinel" => {
                let (master, rest) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() || !master.bytes().all(is_of_a_name) {
                    return Err(NotAnAddress::Path);
                }
                let master = master.to_owned();
                (Topology::Sentinel { master }, database(rest)?)
            }
            "cluster" if path.is_empty() => (Topology::Cluster, 0),
            "cluster" => return Err(NotAnAddress::Path),
            _ => return Err(NotAnAddress::Scheme),
        };
        let usual = if matches!(topology, Topology::Sentinel { .. }) {
            26379
        } else {
            6379
        };
        let servers = read_servers(servers, usual)?;
        if servers.len() > 1 && topology == Topology::Single {
            return Err(NotAnAddress::Servers);
        }
        Ok(Self {
            topology,
            servers,
            protection,
            login,
            database,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

fn read_login(text: &str) -> Result<Login, NotAnAddress> {
    let (user, password) = text.split_once(':').ok_or(NotAnAddress::Login)?;
    let (user, password) = (plain(user)?, plain(password)?);
    if password.is_empty() {
        return Err(NotAnAddress::Login);
    }
    Ok(Login {
        user: Some(String::from_utf8(user).map_err(|_| NotAnAddress::Login)?).filter(|user| !user.is_empty()),
        password: secret(&password),
    })
}

/// What `%` and two digits stand for is put in their place.
fn plain(text: &str) -> Result<Vec<u8>, NotAnAddress> {
    let mut bytes = text.bytes();
    let mut read = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        read.push(if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(bytes.next()), digit(bytes.next()));
            let (high, low) = high.zip(low).ok_or(NotAnAddress::Login)?;
            u8::try_from(high * 16 + low).map_err(|_| NotAnAddress::Login)?
        } else {
            byte
        });
    }
    Ok(read)
}

fn read_servers(text: &str, usual: u16) -> Result<Vec<Server>, NotAnAddress> {
    let servers: Vec<&str> = text.split(',').collect();
    if text.is_empty() || servers.len() > MOST_SERVERS {
        return Err(NotAnAddress::Servers);
    }
    let read = |(number, text): (usize, &&str)| read_server(text, usual).ok_or(NotAnAddress::Server(number + 1));
    servers.iter().enumerate().map(read).collect()
}

fn read_server(text: &str, usual: u16) -> Option<Server> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            (address.to_string(), port)
        }
        None => {
            let host = text.split(':').next()?;
            (host.to_owned(), text.get(host.len()..)?)
        }
    };
    let is_one = host.contains(':') || (!host.is_empty() && host.len() <= 253 && host.bytes().all(is_of_a_name));
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => usual,
        None => return None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok().filter(|port| *port > 0)?,
        Some(_) => return None,
    };
    is_one.then_some(Server { host, port })
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

fn database(text: &str) -> Result<u32, NotAnAddress> {
    match text {
        "" => Ok(0),
        text if text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_err(|_| NotAnAddress::Path)
        }
        _ => Err(NotAnAddress::Path),
    }
}
