//! What a directory is asked, and what is believed of its answers: the client alone, without accounts and sessions, with OpenLDAP,
//! Active Directory and a server that lies.

mod active_directory;
mod lies;
mod open_ldap;

use std::time::Duration;

use authd::login::directory::{Directory, Failure, Person};
use jiff::Timestamp;
use policy::directory::{
    self as settings, Attributes, Bind, Filter, GroupSource, Groups, Limits, Protection, Search, Server,
};
use policy::secret::secret;

/// A server at `ldap://…` or `ldaps://…`.
fn server(url: &str, protection: Protection) -> Server {
    let (host, port) = url
        .rsplit_once("//")
        .and_then(|(_, rest)| rest.rsplit_once(':'))
        .expect("a URL with a port");
    Server {
        url: url.to_owned(),
        host: host.to_owned(),
        port: port.parse().expect("a port"),
        protection,
    }
}

/// As an instance would ask OpenLDAP at this address.
fn open_ldap(url: &str, authority: &str) -> settings::Directory {
    let protection = if url.starts_with("ldaps") {
        Protection::Tls
    } else {
        Protection::StartTls
    };
    settings::Directory {
        servers: vec![server(url, protection)],
        tls: settings::Tls {
            authorities: Some(secret(authority.as_bytes())),
            ..settings::Tls::default()
        },
        bind: Bind::Application {
            name: tests::ldap::open_ldap::APPLICATION.to_owned(),
            password: secret(tests::ldap::open_ldap::APPLICATION_PASSWORD.as_bytes()),
        },
        search: Search {
            base: format!("ou=people,{}", tests::ldap::open_ldap::BASE),
            scope: settings::Scope::Subtree,
            filter: filter("(&(objectClass=inetOrgPerson)(|(uid={username})(mail={username})))"),
        },
        attributes: Attributes {
            id: "entryUUID".to_owned(),
            username: "uid".to_owned(),
            email: "mail".to_owned(),
            name: "cn".to_owned(),
        },
        groups: Some(member_of(0)),
        limits: Limits {
            connections: 2,
            connect: 5000,
            operation: 10_000,
        },
    }
}

fn filter(text: &str) -> Filter {
    Filter::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn member_of(depth: u32) -> Groups {
    Groups {
        source: GroupSource::Attribute("memberOf".to_owned()),
        depth,
        within: None,
    }
}

/// Without TLS, with short time limits.
fn liar(url: &str) -> settings::Directory {
    let mut settings = open_ldap(url, "");
    settings.servers = vec![server(url, Protection::None)];
    settings.tls = settings::Tls::default();
    settings.groups = None;
    settings.limits.connect = 300;
    settings.limits.operation = 700;
    settings
}

/// What comes of an attempt: the reason, or the person.
async fn attempt(directory: &Directory, username: &str, password: &str) -> Result<Person, Failure> {
    directory.sign_in(username, &password.into(), now()).await
}

/// Only the reason; `vouched for` if there is none.
async fn reason(directory: &Directory, username: &str, password: &str) -> &'static str {
    match attempt(directory, username, password).await {
        Ok(_) => "vouched for",
        Err(failure) => failure.reason(),
    }
}

/// Noon of some day in 2026.
fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().expect("a time")
}

/// The values of a claim.
fn claim<'a>(person: &'a Person, name: &str) -> Vec<&'a str> {
    person
        .claims
        .get(name)
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect()
}

/// Longer than any answer that a story waits for may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);
