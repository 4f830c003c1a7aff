"""What the servers work on: resources, keys, revocations, tokens."""

import hashlib
import sqlite3
import time
import uuid

EMAIL, PASSWORD = "admin@bench.example", "correct horse battery staple"
HOST = "app-7.bench.example"

HEAD = f"""apiVersion: v1
kind: Namespace
metadata: {{name: bench}}
---
apiVersion: authd.dev/v1alpha1
kind: Authd
metadata: {{name: main, namespace: bench}}
spec:
  publicUrl: https://auth.bench.example
  cookie: {{domain: bench.example}}
  rateLimits: {{signIn: {{limit: 10000}}}}
  bootstrapAdmin:
    email: {EMAIL}
    passwordSecretRef: {{name: admin, key: password}}
---
apiVersion: v1
kind: Secret
metadata: {{name: admin, namespace: bench}}
stringData: {{password: {PASSWORD}}}
---
apiVersion: authd.dev/v1alpha1
kind: AuthProvider
metadata: {{name: password, namespace: bench}}
spec:
  displayName: Password
  password: {{}}
---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: staff, namespace: bench}}
spec:
  providerRef: {{name: password}}
  onNoMatch: Keep
  groups:
    grant:
      - group: team-7
        whenAny: [{{claim: email, glob: '*@bench.example'}}]
"""


def policy(number, allowed="/api"):
    return f"""apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: app-{number}, namespace: bench}}
spec:
  hosts: [app-{number}.bench.example]
  rules:
    - paths: [/public]
      allow: {{anyone: true}}
    - paths: [{allowed}]
      allow: {{roles: [user, program]}}
    - paths: [/admin]
      allow: {{roles: [admin]}}
    - paths: [/team]
      methods: [GET, POST]
      allow: {{groups: [team-{number}], users: [ann@bench.example]}}
"""


def key(number):
    return "sk-" + hashlib.sha256(f"bench {number}".encode()).hexdigest()[:32]


def api_key(number):
    return f"""apiVersion: authd.dev/v1alpha1
kind: ApiKey
metadata: {{name: key-{number}, namespace: bench}}
spec:
  owner: {{service: program-{number}}}
  roles: [program]
  secretName: key-{number}
---
apiVersion: v1
kind: Secret
metadata: {{name: key-{number}, namespace: bench}}
stringData: {{api-key: {key(number)}}}
"""


def write_folder(folder, policies, keys=0):
    """A folder of resources, a hundred documents or so a file."""
    folder.mkdir()
    (folder / "instance.yaml").write_text(HEAD)
    documents = [policy(number) for number in range(policies)] + [api_key(number) for number in range(keys)]
    for begin in range(0, len(documents), 100):
        (folder / f"{begin:06}.yaml").write_text("---\n".join(documents[begin:begin + 100]))
    return folder


def fill_store(data, revoked, accounts):
    """Revoked tokens, and accounts with the administrator's password hash, in a store that authd made."""
    now = int(time.time() * 1000)
    with sqlite3.connect(data / "authd.db") as store:
        store.executemany(
            "INSERT INTO revocations (kind, id, expires_at, reason, created_at) VALUES ('token', ?, ?, 'signed-out', ?)",
            ((str(uuid.uuid4()), now + 12 * 3_600_000, now) for _ in range(revoked)))
        store.executemany(
            "INSERT INTO users (id, email, email_verified, name, role, password_hash, profile_image_url, created_at, updated_at)"
            " SELECT ?, ?, 1, ?, 'user', password_hash, profile_image_url, ?, ? FROM users WHERE email = ?",
            ((str(uuid.uuid4()), account(number), f"Person {number}", now, now, EMAIL) for number in range(accounts)))
    store.close()


def account(number):
    return f"person-{number}@bench.example"
