//! What is tried: every request that is sent, and what is expected of it.
//!
//! Texts are templates, which [`super::subject`] fills in: `{path}` is the protected path and `{public}` the public one,
//! `{elsewhere}` the public path or else one that nobody has, `{mark}` a word that nobody else says, `{host}` the host and
//! `{authority}` the host with its port, `{up X}` is `X` once for each segment of the public path and `{back X}` for each of the
//! protected one, `{80*X}` is `X` 80 times, and `{ff}` the byte 0xFF.

use Holds::*;
use Sent::*;
use Spelling::*;
use Who::*;

use super::weakness::Weakness;

/// Who sends the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nobody, to the protected path.
    Stranger,
    /// Nobody, to the public path.
    Visitor,
    /// Somebody with the headers of `--header`, to the protected path.
    Caller,
}

/// How the request differs from a plain `GET`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// In nothing.
    Plain,
    /// In its method.
    Method(&'static str),
    /// In what stands behind the method.
    Target(&'static str),
    /// In its `Host`.
    Host(&'static str),
    /// In one more line of its headers, or in several.
    Lines(&'static str),
    /// In a header for each name of the identity, in this spelling.
    Identity(Spelling),
    /// In every byte.
    Bytes(&'static str),
}

/// How the names of the identity's headers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `x-auth-user`.
    Usual,
    /// `X-AUTH-USER`, and a second time as `x-auth-user`.
    Twice,
    /// `x_auth_user`.
    Underscores,
    /// `x-auth_user`.
    Mixed,
    /// `x.auth.user`.
    Dots,
    /// All of them named in `Connection`, as if they belonged to it.
    Nominated,
}

/// When a check holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It is refused.
    Refused,
    /// It is refused just as without what was sent: nobody believed it.
    Unmoved,
    /// Whoever answers, it is not the application.
    AnsweredByOthers,
    /// It is refused, or the application is asked for a path below the public one, which nobody can read otherwise.
    PublicPathOnly,
    /// The application is told nothing of it.
    NothingArrives,
    /// It is refused, or the application is told who is calling all the same.
    IdentityArrives,
}

/// Requests that are sent for one reason, and what is expected of each.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What is wrong where one does not hold.
    pub weakness: Weakness,
    /// Who sends them.
    pub who: Who,
    /// What is expected.
    pub holds: Holds,
    /// What is sent.
    pub sent: &'static [Sent],
}

const fn group(weakness: Weakness, who: Who, holds: Holds, sent: &'static [Sent]) -> Group {
    Group {
        weakness,
        who,
        holds,
        sent,
    }
}

/// All of them. Nothing but `GET` is sent with the caller's credential, and no body with anything.
pub const GROUPS: &[Group] = &[
    group(
        Weakness::IdentityHeaders,
        Visitor,
        NothingArrives,
        &[Identity(Usual), Identity(Twice)],
    ),
    group(
        Weakness::IdentityHeaders,
        Caller,
        NothingArrives,
        &[Identity(Usual), Identity(Twice)],
    ),
    group(
        Weakness::IdentityAliases,
        Visitor,
        NothingArrives,
        &[Identity(Underscores), Identity(Mixed), Identity(Dots)],
    ),
    group(
        Weakness::IdentityAliases,
        Caller,
        NothingArrives,
        &[Identity(Underscores), Identity(Mixed), Identity(Dots)],
    ),
    group(
        Weakness::IdentityDropped,
        Caller,
        IdentityArrives,
        &[
            Identity(Nominated),
            Lines("Connection: close, Authorization, Cookie"),
            Lines("Connection: close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Uri, X-Original-URL"),
        ],
    ),
    group(
        Weakness::ForwardingFacts,
        Stranger,
        Unmoved,
        &[
            Lines("X-Forwarded-Uri: {elsewhere}"),
            Lines("X-Forwarded-Uri: {elsewhere}\r\nX-Forwarded-Uri: {elsewhere}"),
            Lines("X_Forwarded_Uri: {elsewhere}"),
            Lines("X-Forwarded-Host: {host}:4711"),
            Lines("X-Forwarded-Proto: {otherscheme}"),
            Lines("X-Forwarded-Method: POST"),
            Lines("X-Forwarded-Method: OPTIONS"),
            Lines("X-Forwarded-Prefix: {elsewhere}"),
            Lines("X-Forwarded-Path: {elsewhere}"),
            Lines("X-Forwarded-Port: 4711"),
            Lines("X-Forwarded-For: 127.0.0.1"),
            Lines("X-Original-URL: {scheme}://{authority}{elsewhere}"),
            Lines("X-Original-URL: {elsewhere}"),
            Lines("X-Original-Uri: {elsewhere}"),
            Lines("X-Original-Method: OPTIONS"),
            Lines("X-Rewrite-URL: {elsewhere}"),
            Lines("X-Envoy-Original-Path: {elsewhere}"),
            Lines("X-HTTP-Method-Override: OPTIONS"),
            Lines("Forwarded: for=127.0.0.1;host=\"{host}:4711\";proto={otherscheme}"),
            Lines("Connection: close, X-Forwarded-Uri, X-Forwarded-Method, X-Original-URL, X-Original-Method"),
            Target(
                "{path}%0aX-Original-URL:%20{scheme}://{authority}{elsewhere}%0aX-Forwarded-Uri:%20{elsewhere}%0aA:%20b",
            ),
        ],
    ),
    group(
        Weakness::RewriteHeaders,
        Visitor,
        NothingArrives,
        &[
            Lines("X-Original-URL: /lie-{mark}."),
            Lines("X-Rewrite-URL: /lie-{mark}."),
        ],
    ),
    group(
        Weakness::RewriteHeaders,
        Caller,
        NothingArrives,
        &[
            Lines("X-Original-URL: /lie-{mark}."),
            Lines("X-Rewrite-URL: /lie-{mark}."),
        ],
    ),
    group(
        Weakness::Paths,
        Stranger,
        Refused,
        &[
            Target("/{path}"),
            Target("//{path}"),
            Target("/.{path}"),
            Target("/%2e{path}"),
            Target("{path}/."),
            Target("{path};x=1"),
            Target("{path}%00"),
            Target("{path}%2f"),
            Target("{path}?"),
            Target("{path}#"),
            Target("\\{rest}"),
            Target("{public}{up /..}{path}"),
            Target("{public}{up /%2e%2e}{path}"),
            Target("{public}/{up ..%2f}{rest}"),
            Target("{public}{up %2f..}%2f{rest}"),
            Target("{public}{up /%252e%252e}{path}"),
            Target("{public}{up /..;}{path}"),
            Target("{public};{up /..}{path}"),
            Target("{public}{up \\..}\\{rest}"),
            Target("{public}{up /%5c..}{path}"),
            Target("{public}/%00/..{up /..}{path}"),
            Target("{public}/a/..{up /..}{path}"),
            Target("/{public}{up /..}{path}"),
        ],
    ),
    group(
        Weakness::Paths,
        Stranger,
        PublicPathOnly,
        &[
            Target("{public}{path}"),
            Target("{public}#{up /..}{path}"),
            Target("{path}{back /..}{public}"),
            Target("{path}{back /%2e%2e}{public}"),
            Target("{path}{back %2f..}{public}"),
        ],
    ),
    group(
        Weakness::PublicPrefix,
        Stranger,
        Refused,
        &[
            Target("{public}x"),
            Target("{public}-{mark}"),
            Target("{path}{public}"),
            Target("{path}?x={public}"),
            Target("{path}?{public}/"),
            Target("{path};{public}"),
            Target("{path}%23{public}"),
        ],
    ),
    group(
        Weakness::Hosts,
        Stranger,
        Refused,
        &[
            Host("{host}."),
            Host("{HOST}"),
            Host("{HOST}:{port}"),
            Host("{host}:4711"),
            Target("{scheme}://{authority}{path}"),
        ],
    ),
    group(
        Weakness::Hosts,
        Stranger,
        AnsweredByOthers,
        &[
            Host("{mark}.invalid"),
            Host("{host}.{mark}.invalid"),
            Host("{mark}.{host}"),
            Host("localhost"),
            Host("127.0.0.1"),
            Host(""),
            Host("{host}@{mark}.invalid"),
            Host("{mark}.invalid, {host}"),
            Host("{host}{public}"),
            Host("{host}?x="),
            Host("{host}\r\nHost: {mark}.invalid"),
            Target("{scheme}://{mark}.invalid{path}"),
            Bytes("GET {path} HTTP/1.0\r\nX-Doctor: {mark}\r\n\r\n"),
        ],
    ),
    group(
        Weakness::Methods,
        Stranger,
        Refused,
        &[
            Method("HEAD"),
            Method("POST"),
            Method("OPTIONS"),
            Method("TRACE"),
            Method("PROPFIND"),
            Method("DOCTOR"),
            Method("get"),
            Bytes("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"),
            Bytes(
                "OPTIONS {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nX-Doctor: {mark}\r\n\
                 Origin: {scheme}://{mark}.invalid\r\nAccess-Control-Request-Method: DELETE\r\n\r\n",
            ),
        ],
    ),
    group(
        Weakness::Upgrades,
        Stranger,
        Refused,
        &[
            Lines(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: ZG9jdG9yZG9jdG9yZG9jdA==",
            ),
            Lines("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"),
        ],
    ),
    group(
        Weakness::FailOpen,
        Stranger,
        Refused,
        &[
            Lines("{120*X-Doctor-{mark}: a\r\n}X-Doctor-Last: a"),
            Lines("X-Doctor-Long: {16000*a}"),
            Lines("Cookie: a={64000*a}"),
            Lines("Authorization: Bearer {8000*a}"),
            Lines("Accept: {4000*a/b,}text/html"),
            Lines("Expect: 100-continue"),
            Lines("Range: bytes=0-0\r\nIf-None-Match: *"),
            Target("{path}?{9000*a}"),
            Target("{path}/{9000*a}"),
            Target("{path}/%ff%c0%ae"),
            Target("{path}/%"),
        ],
    ),
    group(
        Weakness::Credentials,
        Stranger,
        Refused,
        &[
            Lines("Cookie: {cookie}"),
            Lines("Cookie: {cookie}="),
            Lines("Cookie: {cookie}=%"),
            Lines("Cookie: {cookie}={ff}"),
            Lines("Cookie: {cookie}=a=b=c"),
            Lines("Cookie: ={cookie}; ;;; {cookie}=\"\""),
            Lines("Cookie: {cookie}=a; {cookie}=b"),
            Lines("Cookie: {100*a=b; }{cookie}=a"),
            Lines("Cookie: {cookie}=eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImlkIjoiYWRtaW4ifQ."),
            Lines("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsImlkIjoiYWRtaW4ifQ."),
            Lines("Authorization: Bearer"),
            Lines("Authorization: Basic Og=="),
            Lines("Authorization: {ff}"),
        ],
    ),
    group(
        Weakness::Framing,
        Stranger,
        Refused,
        &[
            Bytes("GET {path} HTTP/1.1\nHost: {authority}\nConnection: close\nX-Doctor: {mark}\n\n"),
            Bytes(
                "GET {path} HTTP/1.1\r\nHost: {authority}\r\nX-Doctor: {mark}\r\nConnection: close\r\nA: b\r\n c\r\n\r\n",
            ),
            Bytes("GET {path} HTTP/1.1\r\nHost : {authority}\r\nX-Doctor: {mark}\r\nConnection: close\r\n\r\n"),
            Bytes("GET {path} HTTP/1.1\r\nHost: {authority}\r\nX-Doctor: {mark}\0\r\nConnection: close\r\n\r\n"),
            Bytes("GET {path}\r\n\r\n"),
            Bytes(
                "POST {path} HTTP/1.1\r\nHost: {authority}\r\nX-Doctor: {mark}\r\nConnection: close\r\nContent-Length: 4\r\n\
                 Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            Bytes(
                "POST {path} HTTP/1.1\r\nHost: {authority}\r\nX-Doctor: {mark}\r\nConnection: close\r\nContent-Length: 5\r\n\
                 Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            ),
            Bytes(
                "POST {path} HTTP/1.1\r\nHost: {authority}\r\nX-Doctor: {mark}\r\nConnection: close\r\nContent-Length: 5\r\n\
                 Content-Length: 0\r\n\r\n0\r\n\r\n",
            ),
        ],
    ),
];

/// What is tried while authd is stopped (`--while-down`): whatever would pass otherwise must not.
pub const WHILE_DOWN: &[Group] = &[
    group(Weakness::FailOpen, Stranger, Refused, &[Plain]),
    group(Weakness::FailOpen, Visitor, Refused, &[Plain, Identity(Usual)]),
    group(Weakness::FailOpen, Caller, Refused, &[Plain, Identity(Usual)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> impl Iterator<Item = &'static str> {
        let sent = GROUPS.iter().chain(WHILE_DOWN).flat_map(|group| group.sent);
        sent.filter_map(|sent| match sent {
            Method(text) | Target(text) | Host(text) | Lines(text) | Bytes(text) => Some(*text),
            Plain | Identity(_) => None,
        })
    }

    #[test]
    fn every_request_is_bounded_and_no_request_is_sent_twice() {
        let requests: Vec<String> = GROUPS
            .iter()
            .flat_map(|group| group.sent.iter().map(move |sent| format!("{:?} {sent:?}", group.who)))
            .collect();
        assert!(requests.len() < 200, "{}", requests.len());
        let mut different = requests.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), requests.len());
    }

    #[test]
    fn no_method_that_changes_something_is_sent() {
        for text in texts() {
            for method in ["PUT ", "PATCH ", "DELETE "] {
                assert!(!text.starts_with(method) && text != method.trim(), "{text}");
            }
        }
        let with_a_credential = GROUPS
            .iter()
            .filter(|group| group.who == Caller)
            .flat_map(|group| group.sent);
        assert!(with_a_credential.clone().count() > 5, "control");
        for sent in with_a_credential {
            assert!(matches!(sent, Plain | Identity(_) | Lines(_)), "{sent:?}");
        }
    }
}
