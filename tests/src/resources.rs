//! The resources that most stories begin with, and the folder that holds them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

/// The password of the administrator.
pub const ADMIN_PASSWORD: &str = "only a sample of a password";
/// The key of the service `ci`, which may do what the policies say.
pub const CI_KEY: &str = "sk-0123456789abcdef0123456789abcdef";
/// The key of the service `reports`, which opens `GET /api/reports` alone.
pub const REPORTS_KEY: &str = "sk-fedcba9876543210fedcba9876543210";
/// The application's host.
pub const HOST: &str = "app.test.localhost";

/// The instance, with more fields of its `spec`.
#[must_use]
pub fn instance(more: &str) -> String {
    format!(
        "apiVersion: authd.dev/v1alpha1
kind: Authd
metadata: {{name: main, namespace: demo}}
spec:
  publicUrl: http://auth.test.localhost:8000
  cookie: {{domain: test.localhost}}
  passwords: {{minLength: 10, bcryptCost: 10}}
  bootstrapAdmin: {{email: admin@example.com, passwordSecretRef: {{name: admin, key: password}}}}
{more}"
    )
}

/// What most stories add to the instance: no limit that a test would run into, and accounts that wait.
pub const ROOMY: &str = "  rateLimits: {signIn: {limit: 10000, window: 3m}}
  signup: {enabled: true, defaultRole: pending}
  adminContact: {name: Admin, email: admin@example.com}
";

/// Everything but the instance.
pub const REST: &str = "apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {name: accounts, namespace: demo}
spec: {displayName: Accounts, password: {}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {name: accounts, namespace: demo}
spec:
  providerRef: {name: accounts}
  roles: [{role: operator, whenAny: [{claim: email, glob: '*@operations.example.com'}]}]
  onNoMatch: Keep
---
apiVersion: authd.dev/v1alpha1
kind: ApiKey
metadata: {name: ci, namespace: demo}
spec: {owner: {service: ci}, secretName: ci}
---
apiVersion: authd.dev/v1alpha1
kind: ApiKey
metadata: {name: reports, namespace: demo}
spec:
  owner: {service: reports}
  secretName: reports
  allowedEndpoints: [{hosts: [app.test.localhost], paths: [/api/reports], methods: [GET]}]
---
apiVersion: v1
kind: Secret
metadata: {name: admin, namespace: demo}
stringData: {password: only a sample of a password}
---
apiVersion: v1
kind: Secret
metadata: {name: ci, namespace: demo}
stringData: {api-key: sk-0123456789abcdef0123456789abcdef}
---
apiVersion: v1
kind: Secret
metadata: {name: reports, namespace: demo}
stringData: {api-key: sk-fedcba9876543210fedcba9876543210}
";

/// Who may do what.
pub const POLICIES: &str = "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: app, namespace: demo}
spec:
  hosts: [app.test.localhost]
  rules:
    - {paths: [/public], allow: {anyone: true}}
    - {paths: [/admin], allow: {roles: [admin]}}
    - allow: {roles: [user], services: [demo/ci, demo/reports]}
    - {paths: [/brief], allow: {roles: [user]}, maxConnectionAge: 3s}
---
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: wild, namespace: demo}
spec:
  hosts: ['*.wild.test']
  rules: [{allow: {anyone: true}}]
";

/// A folder of resources.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// The usual resources, with more fields of the instance.
    #[must_use]
    pub fn usual(more: &str) -> Self {
        let folder = Self::empty();
        folder.write("authd.yaml", &instance(more));
        folder.write("rest.yaml", REST);
        folder.write("policies.yaml", POLICIES);
        folder
    }

    /// The same for replicas that are one instance, with a Secret `shared`: what `tokens` are signed with, a key of `encryption`, and
    /// more.
    #[must_use]
    pub fn shared(more: &str, secrets: &[(&str, &str)]) -> Self {
        let common = [
            ("tokens", "a sample of what tokens are signed with"),
            ("encryption", "a sample of what is sealed with, by all"),
        ];
        let values: BTreeMap<_, _> = common.iter().chain(secrets).copied().collect();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "shared", "namespace": "demo" }, "stringData": values,
        });
        let folder = Self::usual(more);
        folder.write("shared.yaml", &secret.to_string());
        folder
    }

    /// Nothing.
    ///
    /// # Panics
    /// There is no place for temporary files.
    #[must_use]
    pub fn empty() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file whole, as an editor or `kubectl` does: under another name first.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, draft) = (self.path().join(name), self.path().join(format!(".{name}.draft")));
        std::fs::write(&draft, text).expect("the folder can be written");
        std::fs::rename(&draft, &path).expect("the file can be renamed");
        path
    }

    /// Takes a file away.
    ///
    /// # Panics
    /// There is none.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).expect("the file is there");
    }
}
