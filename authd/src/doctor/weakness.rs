//! What can be wrong between a client and an application, why it matters, and how it is mended.

use clap::ValueEnum;

/// A way in which a proxy in front of an application is weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weakness {
    /// Identity headers of clients reach the application.
    IdentityHeaders,
    /// The same, under names that an application reads as those.
    IdentityAliases,
    /// A client has the identity dropped on its way.
    IdentityDropped,
    /// authd is asked about something that a client says, and not about what it does.
    ForwardingFacts,
    /// Headers reach the application that have it serve another path.
    RewriteHeaders,
    /// A path is read in one way by whoever decides, and in another by the application.
    Paths,
    /// More is public than the public path.
    PublicPrefix,
    /// The application answers under a name that nobody asks about.
    Hosts,
    /// Some methods pass without being asked about.
    Methods,
    /// An upgrade of the connection passes without being asked about.
    Upgrades,
    /// What cannot be decided passes.
    FailOpen,
    /// Something that is no credential opens the path.
    Credentials,
    /// Two servers would end a request at different places.
    Framing,
}

/// A proxy, as far as advice differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Proxy {
    /// nginx, and ingress-nginx.
    Nginx,
    /// HAProxy.
    #[value(name = "haproxy")]
    HaProxy,
    /// Caddy.
    Caddy,
    /// Traefik.
    Traefik,
    /// Envoy, and what is built on it: Envoy Gateway, Istio, Contour.
    Envoy,
    /// Apache.
    Apache,
}

impl Proxy {
    /// The one that names itself in a `Server` header.
    #[must_use]
    pub fn named(server: &str) -> Option<Self> {
        let server = server.to_ascii_lowercase();
        let named = |(word, proxy): (&str, Self)| server.contains(word).then_some(proxy);
        [
            ("nginx", Self::Nginx),
            ("openresty", Self::Nginx),
            ("haproxy", Self::HaProxy),
            ("caddy", Self::Caddy),
            ("traefik", Self::Traefik),
            ("envoy", Self::Envoy),
            ("apache", Self::Apache),
        ]
        .into_iter()
        .find_map(named)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::HaProxy => "HAProxy",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
            Self::Envoy => "Envoy",
            Self::Apache => "Apache",
        }
    }
}

/// What is said of a weakness.
struct Said {
    weakness: Weakness,
    name: &'static str,
    why: &'static str,
    mend: &'static str,
    /// The same in the words of a proxy, where it has some of its own.
    with: &'static [(Proxy, &'static str)],
}

use Proxy::{Apache, Caddy, Envoy, HaProxy, Nginx, Traefik};

const SAID: &[Said] = &[
    Said {
        weakness: Weakness::IdentityHeaders,
        name: "identity-headers",
        why: "the application takes what a client says of itself for what authd says: anybody can be anybody",
        mend: "remove every identity header of the client before the check, and set authd's own in every case, empty ones too",
        with: &[
            (
                Nginx,
                "`proxy_set_header NAME \"\";` for each name that arrived, and `proxy_set_header X-Auth-User $auth_user;` for authd's",
            ),
            (
                HaProxy,
                "`http-request del-header x-auth- -m beg` (and `remote-`, `x-forwarded-`) before `lua.authd`",
            ),
            (
                Caddy,
                "`request_header -X-Auth*` and the other names before `forward_auth`, and `copy_headers` with all six of authd's",
            ),
            (
                Traefik,
                "a `headers` middleware with `customRequestHeaders: {NAME: \"\"}` before `forwardAuth`, and all six in `authResponseHeaders`",
            ),
            (
                Envoy,
                "`early_header_mutation` that removes them, and `allowed_upstream_headers` with the prefix `x-auth-`",
            ),
            (Apache, "`RequestHeader unset NAME early` for each name that arrived"),
        ],
    },
    Said {
        weakness: Weakness::IdentityAliases,
        name: "identity-aliases",
        why: "many applications take `X_Auth_User` or `X.Auth.User` for `X-Auth-User` (CGI, WSGI, PHP), and then believe the client",
        mend: "have the proxy drop headers whose names have anything but letters, digits and `-`",
        with: &[
            (
                Nginx,
                "leave `underscores_in_headers` off and `ignore_invalid_headers` on",
            ),
            (HaProxy, "`option http-restrict-req-hdr-names delete` in the frontend"),
            (Caddy, "`request_header -X_*`, `-X.*`, `-X-Auth*` before `forward_auth`"),
            (Traefik, "`aliasHeadersStrategy: delete` at the entry point"),
            (
                Envoy,
                "`headers_with_underscores_action: DROP_HEADER`, and `early_header_mutation` for names with dots",
            ),
            (
                Apache,
                "`RequestHeader unset` for the spelling that arrived; Apache itself drops such names for CGI alone",
            ),
        ],
    },
    Said {
        weakness: Weakness::IdentityDropped,
        name: "identity-dropped",
        why: "a client that names the identity's headers in `Connection` has the proxy drop them: the application sees a request that \
              passed, by nobody, and may take it for its own",
        mend: "set `Connection` anew before anything else reads it, and have the application refuse requests without an identity",
        with: &[
            (
                HaProxy,
                "`http-request del-header connection` and, for upgrades, `set-header connection Upgrade`",
            ),
            (
                Caddy,
                "`request_header -Connection`, or `request_header Connection Upgrade` for upgrades, before `forward_auth`",
            ),
            (
                Apache,
                "`RequestHeader unset Connection early`, and `RequestHeader set Connection Upgrade early` for upgrades",
            ),
        ],
    },
    Said {
        weakness: Weakness::ForwardingFacts,
        name: "forwarding-facts",
        why: "authd decides about what the proxy tells it; where a client has a say in that, it opens one path by naming another",
        mend: "have the proxy set the facts itself and pass on none of the client's",
        with: &[
            (
                Nginx,
                "set `X-Original-URL` from `$scheme://$http_host$request_uri` (never `$uri`) and `X-Original-Method`, and empty the others",
            ),
            (
                HaProxy,
                "`http-request del-header x-forwarded- -m beg` and `x-original- -m beg` before `lua.authd`",
            ),
            (
                Caddy,
                "no `trusted_proxies` but what stands before Caddy; `uri /verify/forward?` with the question mark",
            ),
            (
                Traefik,
                "`trustForwardHeader: false`, and `forwardedHeaders.trustedIPs` with nothing but what stands before Traefik",
            ),
            (
                Envoy,
                "ask at `/verify/envoy` with `path_prefix`, never with `path_override`, and list no `x-forwarded-` or `x-original-` \
                     header but `x-forwarded-proto` and `x-forwarded-for` in `allowed_headers`",
            ),
        ],
    },
    Said {
        weakness: Weakness::RewriteHeaders,
        name: "rewrite-headers",
        why: "some frameworks serve the path in `X-Original-URL` or `X-Rewrite-URL` in place of the one that was asked for, after authd \
              has decided about the latter",
        mend: "remove both before the application",
        with: &[
            (
                Nginx,
                "`proxy_set_header X-Original-URL \"\"; proxy_set_header X-Rewrite-URL \"\";` beside the application's `proxy_pass`",
            ),
            (
                HaProxy,
                "`http-request del-header x-original- -m beg` and `http-request del-header x-rewrite-url`",
            ),
            (
                Caddy,
                "`request_header -X-Original-*` and `request_header -X-Rewrite-Url`",
            ),
            (
                Traefik,
                "`X-Original-Url: \"\"` and `X-Rewrite-Url: \"\"` among `customRequestHeaders`",
            ),
            (Envoy, "remove both in `early_header_mutation`"),
            (
                Apache,
                "`RequestHeader unset X-Original-URL early`, and the same for `X-Rewrite-URL`",
            ),
        ],
    },
    Said {
        weakness: Weakness::Paths,
        name: "paths",
        why: "authd decides about one path and the application serves another: what is protected opens",
        mend: "pass authd and the application the same path, as the client sent it or cleaned for both; rewrite no path after the check",
        with: &[
            (
                Nginx,
                "`$request_uri` in `X-Original-URL`, and no path behind the host in the application's `proxy_pass`",
            ),
            (
                HaProxy,
                "`normalize-uri` and `replace-path`, if at all, before `lua.authd`",
            ),
            (
                Caddy,
                "`uri strip_prefix` and `rewrite` before `forward_auth`, with policies for what is left",
            ),
            (
                Traefik,
                "`stripPrefix` and `replacePath` before `forwardAuth`, with policies for what is left; `sanitizePath: true`",
            ),
            (
                Envoy,
                "`normalize_path: true`, `merge_slashes: true`, `path_with_escaped_slashes_action: REJECT_REQUEST`; no rewrite in routes",
            ),
        ],
    },
    Said {
        weakness: Weakness::PublicPrefix,
        name: "public-prefix",
        why: "a path that merely looks like the public one, or has it somewhere inside, is served without being asked about",
        mend: "leave what is public to an AccessPolicy (`allow: {anyone: true}`), which compares whole segments, and have the proxy ask \
               about every request",
        with: &[
            (
                Nginx,
                "no `location ~ /public` without `auth_request`; a location of its own is `location = /public` or `location /public/`",
            ),
            (HaProxy, "`path_beg` and `path_reg` in no condition of `lua.authd`"),
            (
                Caddy,
                "no `path_regexp` or `path /public*` that leads past `forward_auth`",
            ),
            (
                Traefik,
                "no router with `PathRegexp` or `PathPrefix` that lacks the `forwardAuth` middleware",
            ),
            (Envoy, "no route with `ExtAuthzPerRoute.disabled` for the application"),
        ],
    },
    Said {
        weakness: Weakness::Hosts,
        name: "hosts",
        why: "the application is reached under a name for which nobody is asked",
        mend: "answer 404 or 421 to every name that you do not serve, and compare names without case, final dot and port",
        with: &[
            (Nginx, "`server { listen ... default_server; return 404; }`"),
            (
                HaProxy,
                "`http-request deny deny_status 404 unless` one of the known names, and no `default_backend` past the check",
            ),
            (Caddy, "a site for `http://:PORT` that responds 404"),
            (Traefik, "no router without a `Host` rule that leads to the application"),
            (
                Envoy,
                "no virtual host with the domain `*` that leads to the application unchecked",
            ),
        ],
    },
    Said {
        weakness: Weakness::Methods,
        name: "methods",
        why: "a method that nobody asks about reads or changes what the policy protects from others",
        mend: "ask authd about every method; let it answer CORS preflights for paths whose rules name OPTIONS",
        with: &[
            (
                Nginx,
                "no `limit_except` and no `if ($request_method ...)` around `auth_request`",
            ),
            (HaProxy, "no `METH_...` in the condition of `lua.authd`"),
            (Caddy, "no `method` matcher that leads past `forward_auth`"),
        ],
    },
    Said {
        weakness: Weakness::Upgrades,
        name: "upgrades",
        why: "on a connection that was upgraded nobody is asked any more, and everything passes",
        mend: "ask authd about the upgrade too, and let `websocket` through alone, never `h2c`",
        with: &[(HaProxy, "no condition on `Upgrade` or `Connection` at `lua.authd`")],
    },
    Said {
        weakness: Weakness::FailOpen,
        name: "fail-open",
        why: "when authd cannot be asked, or cannot answer, everything passes; a client can bring that about",
        mend: "refuse whatever is not answered with 200",
        with: &[
            (Nginx, "no `error_page 5xx` that leads to the application"),
            (HaProxy, "use `authd.lua` as it is: every answer but 200 refuses"),
            (
                Caddy,
                "no `handle_response` or `handle_errors` that leads to the application",
            ),
            (
                Envoy,
                "`failure_mode_allow: false` (Envoy Gateway, Contour, Istio: `failOpen: false`)",
            ),
        ],
    },
    Said {
        weakness: Weakness::Credentials,
        name: "credentials",
        why: "something that is no valid credential is taken for one",
        mend: "let authd alone read cookies and `Authorization`; remove rules of the proxy that look whether one is there",
        with: &[],
    },
    Said {
        weakness: Weakness::Framing,
        name: "framing",
        why: "where two servers end a request at different places, a second one hides in the first and passes unasked",
        mend: "refuse requests that HTTP does not allow, and update the proxy",
        with: &[
            (HaProxy, "no `option accept-invalid-http-request`"),
            (Apache, "`HttpProtocolOptions Strict`"),
        ],
    },
];

impl Weakness {
    fn said(self) -> Option<&'static Said> {
        SAID.iter().find(|said| said.weakness == self)
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.said().map_or("", |said| said.name)
    }

    /// Why it matters.
    #[must_use]
    pub fn why(self) -> &'static str {
        self.said().map_or("", |said| said.why)
    }

    /// How it is mended, and how in that proxy.
    #[must_use]
    pub fn mend(self, proxy: Option<Proxy>) -> String {
        let Some(said) = self.said() else {
            return String::new();
        };
        let with = said.with.iter().find(|(known, _)| Some(*known) == proxy);
        with.map_or_else(
            || said.mend.to_owned(),
            |(proxy, how)| format!("{}. In {}: {how}", said.mend, proxy.name()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{GROUPS, WHILE_DOWN};
    use super::*;

    #[test]
    fn every_weakness_that_is_looked_for_is_explained_and_mended() {
        for group in GROUPS.iter().chain(WHILE_DOWN) {
            let weakness = group.weakness;
            assert!(
                !weakness.name().is_empty() && !weakness.why().is_empty() && !weakness.mend(None).is_empty(),
                "{weakness:?}"
            );
        }
        for said in SAID {
            assert!(
                GROUPS.iter().any(|group| group.weakness == said.weakness),
                "{}",
                said.name
            );
        }
    }

    #[test]
    fn advice_is_in_the_words_of_the_proxy() {
        let advice = Weakness::IdentityAliases.mend(Some(Proxy::Nginx));
        assert!(
            advice.contains("In nginx: leave `underscores_in_headers` off"),
            "{advice}"
        );
        assert!(!Weakness::IdentityAliases.mend(None).contains("In "));
    }

    #[test]
    fn a_proxy_is_known_by_its_server_header() {
        for (server, expected) in [
            ("nginx/1.22.1", Some(Proxy::Nginx)),
            ("Caddy", Some(Proxy::Caddy)),
            ("envoy", Some(Proxy::Envoy)),
            ("Apache/2.4.71 (Debian)", Some(Proxy::Apache)),
            ("istio-envoy", Some(Proxy::Envoy)),
            ("BaseHTTP/0.6 Python/3.11", None),
            ("", None),
        ] {
            assert_eq!(Proxy::named(server), expected, "{server}");
        }
    }
}
