use super::*;
use crate::secret::expose;

/// An address in few words.
fn shown(url: &str) -> Result<String, NotAnAddress> {
    let Address {
        topology,
        servers,
        protection,
        login,
        database,
    } = Address::read(url)?;
    let topology = match topology {
        Topology::Single => "single".to_owned(),
        Topology::Sentinel { master } => format!("master {master}"),
        Topology::Cluster => "cluster".to_owned(),
    };
    let servers: Vec<String> = servers.iter().map(Server::to_string).collect();
    let login = login.map_or("nobody".to_owned(), |login| {
        let password = String::from_utf8_lossy(expose(&login.password)).into_owned();
        format!("{}:{password}", login.user.unwrap_or_default())
    });
    Ok(format!(
        "{topology} {} {protection:?} as {login} in {database}",
        servers.join(",")
    ))
}

#[test]
fn urls_are_read() {
    for (url, expected) in [
        ("redis://localhost", "single localhost:6379 None as nobody in 0"),
        (" redis://localhost/\n", "single localhost:6379 None as nobody in 0"),
        ("redis://10.0.0.1:7000/3", "single 10.0.0.1:7000 None as nobody in 3"),
        (
            "rediss://authd:s%40cret@[fd00::1]:7000",
            "single [fd00::1]:7000 Tls as authd:s@cret in 0",
        ),
        ("redis://:a@b@cache/0", "single cache:6379 None as :a@b in 0"),
        (
            "redis+sentinel://authd:x@s1,s2:26380,[::1]/main",
            "master main s1:26379,s2:26380,[::1]:26379 None as authd:x in 0",
        ),
        ("rediss+sentinel://s1/main/2", "master main s1:26379 Tls as nobody in 2"),
        (
            "redis+cluster://:x@n1:7000,n2:7001",
            "cluster n1:7000,n2:7001 None as :x in 0",
        ),
        ("rediss+cluster://n1", "cluster n1:6379 Tls as nobody in 0"),
    ] {
        assert_eq!(shown(url).as_deref(), Ok(expected), "{url}");
    }
}

#[test]
fn what_is_no_url_of_a_redis_is_told_what_is_wrong() {
    for (url, expected) in [
        ("", NotAnAddress::Scheme),
        ("localhost:6379", NotAnAddress::Scheme),
        ("http://localhost", NotAnAddress::Scheme),
        ("redis+ring://localhost", NotAnAddress::Scheme),
        ("valkey://localhost", NotAnAddress::Scheme),
        ("redis://authd@localhost", NotAnAddress::Login),
        ("redis://authd:@localhost", NotAnAddress::Login),
        ("redis://authd:100%@localhost", NotAnAddress::Login),
        ("redis://%ff:x@localhost", NotAnAddress::Login),
        ("redis://", NotAnAddress::Servers),
        ("redis://one,two", NotAnAddress::Servers),
        ("redis+sentinel:///main", NotAnAddress::Servers),
        ("redis+cluster://one,,two", NotAnAddress::Server(2)),
        ("redis://local host", NotAnAddress::Server(1)),
        ("redis://localhost:0", NotAnAddress::Server(1)),
        ("redis://localhost:65536", NotAnAddress::Server(1)),
        ("redis://localhost:+1", NotAnAddress::Server(1)),
        ("redis://localhost?db=1", NotAnAddress::Server(1)),
        ("redis://fd00::1", NotAnAddress::Server(1)),
        ("redis://[fd00::1", NotAnAddress::Server(1)),
        ("redis://[fd00::1]7000", NotAnAddress::Server(1)),
        ("redis://localhost/main", NotAnAddress::Path),
        ("redis://localhost/0?x=1", NotAnAddress::Path),
        ("redis+sentinel://s1", NotAnAddress::Path),
        ("redis+sentinel://s1/a b", NotAnAddress::Path),
        ("redis+cluster://n1/0", NotAnAddress::Path),
    ] {
        assert_eq!(shown(url), Err(expected), "{url}");
    }
    let many = vec!["n"; 33].join(",");
    assert_eq!(shown(&format!("redis+cluster://{many}")), Err(NotAnAddress::Servers));
}

#[test]
fn a_password_is_in_no_message_and_not_in_debug() {
    let address = Address::read("redis://authd:canary@localhost").unwrap();
    assert!(!format!("{address:?}").contains("canary"));
    for url in ["redis://canary@localhost", "redis://a:canary@one,two", "canary"] {
        let error = Address::read(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{url}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(url in "(redis|rediss)?(\\+sentinel|\\+cluster)?(://)?[%a-z0-9:@/,\\[\\]]{0,40}") {
        let _ = Address::read(&url);
    }
}
