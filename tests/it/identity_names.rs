//! Applications that know identities by other names, behind proxies: the presets, and names of one's own.

use serde_json::Value;
use tests::http::{Request, get};
use tests::proxy::{Kind, Site};
use tests::resources::HOST;

/// An instance's names, and what a configuration of the examples says in their place.
struct Named {
    kind: Kind,
    identity_headers: &'static str,
    replaced: &'static [(&'static str, &'static str)],
    /// Where the application finds id, address and roles.
    names: [&'static str; 3],
}

const NAMED: [Named; 7] = [
    Named {
        kind: Kind::Nginx,
        identity_headers: "{preset: Remote, names: {roles: X-WEBAUTH-ROLE}}",
        replaced: &[
            ("$upstream_http_x_auth_user;", "$upstream_http_remote_user;"),
            ("$upstream_http_x_auth_email;", "$upstream_http_remote_email;"),
            ("$upstream_http_x_auth_roles;", "$upstream_http_x_webauth_role;"),
            (
                "proxy_set_header X-Auth-User     $auth_user;",
                "proxy_set_header X-Auth-User \"\";",
            ),
            (
                "proxy_set_header X-Auth-Email    $auth_email;",
                "proxy_set_header X-Auth-Email \"\";",
            ),
            (
                "proxy_set_header Remote-User   \"\";",
                "proxy_set_header Remote-User $auth_user;",
            ),
            (
                "proxy_set_header Remote-Email  \"\";",
                "proxy_set_header Remote-Email $auth_email;",
            ),
            (
                "X-Auth-Roles    $auth_roles;",
                "X-WEBAUTH-ROLE $auth_roles; proxy_set_header X-Auth-Roles \"\";",
            ),
        ],
        names: ["remote-user", "remote-email", "x-webauth-role"],
    },
    Named {
        kind: Kind::HaProxy,
        identity_headers: "{preset: XForwarded, names: {roles: X-WEBAUTH-ROLE}}",
        replaced: &[
            (
                "\"x-auth-user\", \"x-auth-email\",",
                "\"x-forwarded-user\", \"x-forwarded-email\",",
            ),
            ("\"x-auth-roles\",", "\"x-webauth-role\","),
        ],
        names: ["x-forwarded-user", "x-forwarded-email", "x-webauth-role"],
    },
    Named {
        kind: Kind::Caddy,
        identity_headers: "{preset: Remote, names: {roles: X-WEBAUTH-ROLE}}",
        replaced: &[(
            "copy_headers X-Auth-User X-Auth-Email X-Auth-Name X-Auth-Roles",
            "copy_headers Remote-User Remote-Email Remote-Name X-WEBAUTH-ROLE",
        )],
        names: ["remote-user", "remote-email", "x-webauth-role"],
    },
    Named {
        kind: Kind::Traefik,
        identity_headers: "{preset: XForwarded, names: {roles: X-WEBAUTH-ROLE}}",
        replaced: &[
            ("          - X-Auth-User\n", "          - X-Forwarded-User\n"),
            ("          - X-Auth-Email\n", "          - X-Forwarded-Email\n"),
            ("          - X-Auth-Roles\n", "          - X-WEBAUTH-ROLE\n"),
        ],
        names: ["x-forwarded-user", "x-forwarded-email", "x-webauth-role"],
    },
    Named {
        kind: Kind::Envoy,
        identity_headers: "{preset: XForwarded, names: {roles: X-WEBAUTH-ROLE}}",
        replaced: &[(
            "{prefix: x-auth-, ignore_case: true}",
            "{prefix: x-auth-}, {prefix: x-forwarded-user}, {prefix: x-forwarded-email}, {exact: x-webauth-role}",
        )],
        names: ["x-forwarded-user", "x-forwarded-email", "x-webauth-role"],
    },
    // Over gRPC authd names every header itself.
    Named {
        kind: Kind::EnvoyGrpc,
        identity_headers: "{preset: Remote, names: {roles: X-WEBAUTH-ROLE}}",
        replaced: &[],
        names: ["remote-user", "remote-email", "x-webauth-role"],
    },
    Named {
        kind: Kind::ApacheLua,
        identity_headers: "{preset: Remote, names: {roles: X-WEBAUTH-ROLE}}",
        replaced: &[
            (
                "\"X-Auth-User\", \"X-Auth-Email\",",
                "\"Remote-User\", \"Remote-Email\",",
            ),
            ("\"X-Auth-Roles\",", "\"X-WEBAUTH-ROLE\","),
        ],
        names: ["remote-user", "remote-email", "x-webauth-role"],
    },
];

impl Named {
    async fn arrives(&self) {
        let more = format!("  identityHeaders: {}\n", self.identity_headers);
        let site = Site::altered(self.kind, &more, self.replaced).await;
        let port = site.proxy.port;
        let lying = |path: &str| {
            let request = get(format!("http://127.0.0.1:{port}{path}")).header("host", format!("{HOST}:{port}"));
            let names = policy::identity_headers::known().chain(["x-webauth-role"]);
            names.fold(request, |request: Request, name| request.header(name, "admin, lie"))
        };
        let ann = lying("/").cookie(&site.ann.token).send().await;
        let ann = ann.expect(&format!("{:?}", self.kind), 200);
        let seen: Vec<(String, String)> = headers(&ann.json());
        let said = |name: &str| {
            let named = seen.iter().filter(|(known, _)| known == name);
            named.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        let [id, address, roles] = self.names.map(said);
        assert_eq!(
            (id, address, roles),
            (vec![&*site.ann.id], vec![&*site.ann.email], vec!["user"]),
            "{:?}: {seen:?}",
            self.kind
        );
        for answer in [
            ann,
            lying("/public").send().await.expect(&format!("{:?}", self.kind), 200),
        ] {
            assert!(!answer.body.contains("lie"), "D01: {:?}: {}", self.kind, answer.body);
        }
    }
}

fn headers(seen: &Value) -> Vec<(String, String)> {
    let headers = seen["headers"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    headers
        .map(|pair| (text(&pair[0]).to_ascii_lowercase(), text(&pair[1])))
        .collect()
}

#[tokio::test]
async fn an_identity_arrives_under_the_names_that_an_application_knows_and_a_clients_own_never() {
    for named in &NAMED {
        named.arrives().await;
    }
}
