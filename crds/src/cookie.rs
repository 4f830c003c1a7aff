//! The session cookie: a part of an `Authd`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The session cookie.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.name) || !self.name.matches('(?i)^__host-') || !has(self.domain)").message("browsers keep a cookie named `__Host-` for one host: leave out `domain`, or choose a name without the prefix"))]
#[x_kube(validation = Rule::new("!has(self.name) || !self.name.matches('(?i)^__(host|secure)-') || self.name.matches('^__(Host|Secure)-')").message("write `__Host-` and `__Secure-` with these capitals: in others, some browsers see no prefix"))]
pub struct Cookie {
    /// Its name. With `__Host-` before it, no other host can set it or is sent it: for a single application, on the host of
    /// `publicUrl`.
    #[serde(default = "token")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// The domain whose hosts share the sign-in, such as `example.com`. Absent: the host of `publicUrl` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$")
    )]
    pub domain: Option<String>,
    /// When a browser sends it with requests from other sites.
    #[serde(default)]
    pub same_site: SameSite,
}

fn token() -> String {
    "token".to_owned()
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: token(),
            domain: None,
            same_site: SameSite::Lax,
        }
    }
}

/// When a browser sends a cookie with requests from other sites.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Only when somebody follows a link.
    #[default]
    Lax,
    /// Never.
    Strict,
}
