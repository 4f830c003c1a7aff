//! Every way to get a resource wrong, and the exact lines that say so.

use super::{check, kinds};

type Row = (&'static str, String, &'static [&'static str]);

fn below(header: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("{header}spec:\n{spec}")
}

/// An AccessPolicy whose spec begins on line 5.
fn policy(spec: &str) -> String {
    below(
        "apiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\n",
        spec,
    )
}

/// An Authd whose spec begins on line 5.
fn authd(spec: &str) -> String {
    below(
        "apiVersion: authd.dev/v1alpha1\nkind: Authd\nmetadata: {name: main}\n",
        spec,
    )
}

/// A Secret whose members begin on line 4.
fn secret(members: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{members}")
}

#[test]
fn every_mistake_is_said_with_its_place_and_what_would_be_right() {
    let kinds = kinds();
    for (name, text, expected) in rows() {
        check(&kinds, (name, "x.yaml"), &text, expected);
    }
}

fn rows() -> impl Iterator<Item = Row> {
    let groups = [
        syntax(),
        types(),
        fields(),
        values(),
        rules(),
        words(),
        copies(),
        objects(),
        secrets(),
        documents(),
    ];
    groups.into_iter().flatten()
}

fn syntax() -> Vec<Row> {
    vec![
    ("good policy", policy("hosts: [a.example.com]
rules: [{allow: {anyone: true}}]"), &[]),
    ("tab indentation", "apiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n\thosts: [a.example.com]\n".to_owned(), &["x.yaml:5:1: a tab in the indentation: YAML is indented with spaces"]),
    ("tab after spaces", "apiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n  hosts:\n  \t- a.example.com\n".to_owned(), &["x.yaml:6:3: a tab in the indentation: YAML is indented with spaces"]),
    ("unclosed bracket", "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec: {hosts: [a.example.com}
".to_owned(), &["x.yaml:4:29: not valid YAML: while parsing a flow sequence, expected ',' or ']'"]),
    ("unclosed quote", r#"apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec: {cedar: "permit}
"#.to_owned(), &["x.yaml:4:15: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"]),
    ("wrong indentation", "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  hosts: [a.example.com]
 rules: []
".to_owned(), &["x.yaml:6:2: not valid YAML: while parsing a block mapping, did not find expected key"]),
    ]
}

fn types() -> Vec<Row> {
    vec![
        (
            "wrong type: text for list",
            policy(
                "hosts: a.example.com
rules: [{allow: {anyone: true}}]",
            ),
            &[
                "x.yaml:5:10: AccessPolicy default/p: spec.hosts: expected a list, found the text `a.example.com`: write `[a.example.com]`",
            ],
        ),
        (
            "wrong type: number for text",
            policy(
                "hosts: [12]
rules: [{allow: {anyone: true}}]",
            ),
            &[
                r#"x.yaml:5:11: AccessPolicy default/p: spec.hosts[0]: expected text, found the number `12`: write `"12"`"#,
            ],
        ),
        (
            "wrong type: list for mapping",
            policy(
                "hosts: [a.example.com]
rules: [{allow: []}]",
            ),
            &["x.yaml:6:12: AccessPolicy default/p: spec.rules[0].allow: expected a mapping, found a list"],
        ),
        (
            "wrong type: quoted boolean",
            policy(
                r#"hosts: [a.example.com]
rules: [{allow: {anyone: "true"}}]"#,
            ),
            &[
                "x.yaml:6:28: AccessPolicy default/p: spec.rules[0].allow.anyone: expected `true` or `false`, found the text `true`: write it without quotes",
            ],
        ),
        (
            "wrong type: spec is text",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec: hello
"
            .to_owned(),
            &["x.yaml:4:7: AccessPolicy default/p: spec: expected a mapping, found the text `hello`"],
        ),
    ]
}

fn fields() -> Vec<Row> {
    vec![
        (
            "unknown field with suggestion",
            policy(
                "host: [a.example.com]
rules: [{allow: {anyone: true}}]",
            ),
            &["x.yaml:5:3: AccessPolicy default/p: spec.host: unknown field `host`, did you mean `hosts`?"],
        ),
        (
            "unknown field in an item",
            policy(
                "hosts: [a.example.com]
rules:
  - path: [/admin]
    allow: {roles: [admin]}",
            ),
            &["x.yaml:7:7: AccessPolicy default/p: spec.rules[0].path: unknown field `path`, did you mean `paths`?"],
        ),
        (
            "unknown field with nothing near",
            policy(
                "hosts: [a.example.com]
rules: [{allow: {anyone: true}}]
zebra: 1",
            ),
            &[
                "x.yaml:7:3: AccessPolicy default/p: spec.zebra: unknown field `zebra`: the fields here are `cedar`, `hosts`, `mode`, `rules`",
            ],
        ),
        (
            "unknown field at the top",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  hosts: [a.example.com]
  rules: [{allow: {anyone: true}}]
spek: {}
"
            .to_owned(),
            &["x.yaml:7:1: AccessPolicy default/p: spek: unknown field `spek`, did you mean `spec`?"],
        ),
        (
            "unknown field in metadata",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata:
  name: p
  lables: {a: b}
spec: {hosts: [a.example.com], rules: [{allow: {anyone: true}}]}
"
            .to_owned(),
            &["x.yaml:5:3: AccessPolicy default/p: metadata.lables: unknown field `lables`, did you mean `labels`?"],
        ),
        (
            "missing required field",
            policy("rules: [{allow: {anyone: true}}]"),
            &[
                "x.yaml:4:1: AccessPolicy default/p: spec.hosts: missing field `hosts`: host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label (`*.example.com`, which covers exactly one label)",
            ],
        ),
        (
            "missing required in an item",
            policy(
                "hosts: [a.example.com]
rules:
  - paths: [/a]
  - allow: {anyone: true}",
            ),
            &["x.yaml:7:7: AccessPolicy default/p: spec.rules[0].allow: missing field `allow`: who is allowed"],
        ),
        (
            "missing spec",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
"
            .to_owned(),
            &["x.yaml:1:1: AccessPolicy default/p: spec: missing field `spec`: who may do what on a set of hosts"],
        ),
        (
            "missing name",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {}
spec: {hosts: [a.example.com], rules: [{allow: {anyone: true}}]}
"
            .to_owned(),
            &[
                "x.yaml:3:1: AccessPolicy: metadata.name: missing field `name`: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
            ],
        ),
        (
            "missing metadata",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
spec: {hosts: [a.example.com], rules: [{allow: {anyone: true}}]}
"
            .to_owned(),
            &["x.yaml:1:1: AccessPolicy: metadata: missing field `metadata`"],
        ),
        (
            "null counts as missing",
            policy(
                "hosts:
rules: [{allow: {anyone: true}}]",
            ),
            &[
                "x.yaml:5:3: AccessPolicy default/p: spec.hosts: missing field `hosts`: host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label (`*.example.com`, which covers exactly one label)",
            ],
        ),
    ]
}

fn values() -> Vec<Row> {
    vec![
        (
            "name with capitals",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: My_Policy}
spec: {hosts: [a.example.com], rules: [{allow: {anyone: true}}]}
"
            .to_owned(),
            &[
                r"x.yaml:3:18: AccessPolicy default/My_Policy: metadata.name: `My_Policy` does not match `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
            ],
        ),
        (
            "label too odd",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p, labels: {a.b/c: -x-}}
spec: {hosts: [a.example.com], rules: [{allow: {anyone: true}}]}
"
            .to_owned(),
            &[
                "x.yaml:3:37: AccessPolicy default/p: metadata.labels[a.b/c]: `-x-` does not match `^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`: letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit",
            ],
        ),
        (
            "enum",
            policy(
                "mode: enforce
hosts: [a.example.com]
rules: [{allow: {anyone: true}}]",
            ),
            &[
                "x.yaml:5:9: AccessPolicy default/p: spec.mode: `enforce` is not one of `Enforce`, `Shadow`, did you mean `Enforce`?",
            ],
        ),
        (
            "enum with nothing near",
            policy(
                "mode: Whatever
hosts: [a.example.com]
rules: [{allow: {anyone: true}}]",
            ),
            &["x.yaml:5:9: AccessPolicy default/p: spec.mode: `Whatever` is not one of `Enforce`, `Shadow`"],
        ),
        (
            "pattern",
            policy(
                r#"hosts: ["*.*.example.com"]
rules: [{allow: {anyone: true}}]"#,
            ),
            &[
                r"x.yaml:5:11: AccessPolicy default/p: spec.hosts[0]: `*.*.example.com` does not match `^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`: host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label (`*.example.com`, which covers exactly one label)",
            ],
        ),
        (
            "pattern of a path",
            policy(
                "hosts: [a.example.com]
rules:
  - allow: {anyone: true}
  - paths: [/a, admin]
    allow: {roles: [admin]}",
            ),
            &[
                r"x.yaml:8:19: AccessPolicy default/p: spec.rules[1].paths[1]: `admin` does not match `^/[^?#;\\%\s]*$`: path prefixes, by whole segments: `/api` covers `/api` and `/api/x`, never `/apiary`",
            ],
        ),
        (
            "empty list",
            policy(
                "hosts: []
rules: [{allow: {anyone: true}}]",
            ),
            &[
                "x.yaml:5:3: AccessPolicy default/p: spec.hosts: the list is empty: host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label (`*.example.com`, which covers exactly one label)",
            ],
        ),
        (
            "list too long",
            policy(&format!(
                "hosts: [{}]\nrules: [{{allow: {{anyone: true}}}}]",
                (0..65)
                    .map(|i| format!("h{i}.example.com"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
            &["x.yaml:5:3: AccessPolicy default/p: spec.hosts: the list has 65 items, at most 64 are allowed"],
        ),
        (
            "empty text",
            policy(
                r#"hosts: [""]
rules: [{allow: {anyone: true}}]"#,
            ),
            &[
                "x.yaml:5:11: AccessPolicy default/p: spec.hosts[0]: is empty: host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label (`*.example.com`, which covers exactly one label)",
            ],
        ),
        (
            "text too long",
            policy(&format!(
                "hosts: [a.example.com]\nrules: [{{allow: {{roles: [{}]}}}}]",
                "r".repeat(129)
            )),
            &[
                "x.yaml:6:28: AccessPolicy default/p: spec.rules[0].allow.roles[0]: `rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr...` has 129 characters, at most 128 are allowed",
            ],
        ),
    ]
}

fn rules() -> Vec<Row> {
    vec![
        (
            "a set that repeats",
            policy(
                "hosts: [a.example.com, b.example.com, a.example.com]
rules: [{allow: {anyone: true}}]",
            ),
            &[
                "x.yaml:5:41: AccessPolicy default/p: spec.hosts[2]: repeats item [0] (`a.example.com`): each may be given once",
            ],
        ),
        (
            "CEL rule of the spec",
            policy("hosts: [a.example.com]"),
            &["x.yaml:4:1: AccessPolicy default/p: spec: say what is allowed: add `rules` or `cedar`"],
        ),
        (
            "CEL rule of an item",
            policy(
                "hosts: [a.example.com]
rules:
  - allow: {anyone: true}
  - allow: {anyone: true, roles: [user]}",
            ),
            &[
                "x.yaml:8:7: AccessPolicy default/p: spec.rules[1].allow: `anyone` already includes everybody: leave out the other fields",
            ],
        ),
        (
            "CEL rule of a field",
            authd("publicUrl: ftp://auth.example.com"),
            &[
                "x.yaml:5:14: Authd default/main: spec.publicUrl: must be https://HOST[:PORT] in lower case and without a path; http:// only for localhost, names below .localhost, 127.0.0.1 and [::1]",
            ],
        ),
        (
            "number too small",
            authd(
                "publicUrl: https://auth.example.com
passwords: {minLength: 0}",
            ),
            &["x.yaml:6:26: Authd default/main: spec.passwords.minLength: `0` is too small: the least is 8"],
        ),
        (
            "number too large",
            authd(
                "publicUrl: https://auth.example.com
passwords: {bcryptCost: 99}",
            ),
            &["x.yaml:6:27: Authd default/main: spec.passwords.bcryptCost: `99` is too large: the most is 15"],
        ),
        (
            "number with a fraction",
            authd(
                "publicUrl: https://auth.example.com
passwords: {bcryptCost: 11.5}",
            ),
            &[
                "x.yaml:6:27: Authd default/main: spec.passwords.bcryptCost: expected a whole number, found the number `11.5`",
            ],
        ),
        (
            "duration",
            authd(
                "publicUrl: https://auth.example.com
tokens: {lifetime: 12 hours}",
            ),
            &[
                r"x.yaml:6:22: Authd default/main: spec.tokens.lifetime: `12 hours` does not match `^(-1|0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+)$`: how long a token is valid",
            ],
        ),
    ]
}

fn words() -> Vec<Row> {
    vec![
        (
            "duplicate key",
            policy(
                "hosts: [a.example.com]
rules: [{allow: {anyone: true}}]
hosts: [b.example.com]",
            ),
            &["x.yaml:7:3: the key `hosts` is already given on line 5"],
        ),
        (
            "yes for a boolean",
            policy(
                "hosts: [a.example.com]
rules: [{allow: {anyone: yes}}]",
            ),
            &[
                r#"x.yaml:6:28: AccessPolicy default/p: spec.rules[0].allow.anyone: `yes` means `true` to kubectl: write `"yes"` for the text, or `true`"#,
            ],
        ),
        (
            "no for a text",
            policy(
                "hosts: [a.example.com]
rules:
  - allow:
      groups: [no]",
            ),
            &[
                "x.yaml:8:18: AccessPolicy default/p: spec.rules[0].allow.groups[0]: `no` means `false` to kubectl: write it in quotes for the text, or `false`",
            ],
        ),
        (
            "octal number",
            authd(
                "publicUrl: https://auth.example.com
passwords: {minLength: 014}",
            ),
            &[
                r#"x.yaml:6:26: Authd default/main: spec.passwords.minLength: `014` is read as different numbers by different programs: write `"014"`, or the number in decimal"#,
            ],
        ),
        (
            "merge key",
            "x: &x {a: 1}
---
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  <<: {hosts: [a.example.com]}
  hosts: [a.example.com]
  rules: [{allow: {anyone: true}}]
"
            .to_owned(),
            &[
                "x.yaml:1:1: kind: missing field `kind`: write one of `Authd`, `AuthProvider`, `RoleMapping`, `ApiKey`, `AccessPolicy`",
                "x.yaml:7:3: AccessPolicy default/p: spec[<<]: merge keys (`<<`) are not read: write the fields out",
            ],
        ),
        (
            "tag",
            policy(
                "hosts: !host [a.example.com]
rules: [{allow: {anyone: true}}]",
            ),
            &["x.yaml:5:3: AccessPolicy default/p: spec.hosts: the tag `!host` is not read: leave it out"],
        ),
        (
            "number as key",
            "apiVersion: v1
kind: Namespace
metadata: {name: teams, labels: {1: a}}
"
            .to_owned(),
            &["x.yaml:3:34: Namespace teams: metadata.labels.1: the key `1` is not text: write it in quotes"],
        ),
    ]
}

fn copies() -> Vec<Row> {
    vec![
        (
            "list as key",
            "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec: {[a]: b}
"
            .to_owned(),
            &["x.yaml:4:8: a key is text, not a list or mapping"],
        ),
        (
            "alias of nothing",
            policy(
                "hosts: *none
rules: [{allow: {anyone: true}}]",
            ),
            &["x.yaml:5:10: not valid YAML: while parsing node, found unknown anchor"],
        ),
        (
            "alias inside of itself",
            policy(
                "hosts: &h [*h]
rules: [{allow: {anyone: true}}]",
            ),
            &["x.yaml:5:14: the alias names a key, or what it stands in"],
        ),
        (
            "alias bomb",
            "a: &a [x,x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]
e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]
f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]
"
            .to_owned(),
            &["x.yaml:5:26: anchors and aliases copy more than 100000 values"],
        ),
        (
            "nested too deep",
            format!("a: {}", "[".repeat(65)),
            &["x.yaml:1:67: nested deeper than 64 levels"],
        ),
    ]
}

fn objects() -> Vec<Row> {
    vec![
        (
            "empty file",
            "".to_owned(),
            &["x.yaml:1:1: the file is empty: delete it, or write a resource"],
        ),
        (
            "blank file",
            " 

"
            .to_owned(),
            &["x.yaml:1:1: the file is empty: delete it, or write a resource"],
        ),
        (
            "only comments",
            "# nothing here
---
# nor here
"
            .to_owned(),
            &[],
        ),
        (
            "not a mapping",
            "- a
- b
"
            .to_owned(),
            &["x.yaml:1:1: expected a resource with `apiVersion`, `kind` and `metadata`"],
        ),
        (
            "plain text",
            "hello
"
            .to_owned(),
            &["x.yaml:1:1: expected a resource with `apiVersion`, `kind` and `metadata`"],
        ),
        (
            "no kind and no apiVersion",
            "replicas: 3
"
            .to_owned(),
            &[
                "x.yaml:1:1: kind: missing field `kind`: write one of `Authd`, `AuthProvider`, `RoleMapping`, `ApiKey`, `AccessPolicy`",
            ],
        ),
        (
            "no apiVersion",
            "kind: ApiKey
metadata: {name: k}
"
            .to_owned(),
            &["x.yaml:1:1: apiVersion: missing field `apiVersion`: write `authd.dev/v1alpha1`"],
        ),
        (
            "no kind",
            "apiVersion: authd.dev/v1alpha1
metadata: {name: k}
"
            .to_owned(),
            &[
                "x.yaml:1:1: kind: missing field `kind`: write one of `Authd`, `AuthProvider`, `RoleMapping`, `ApiKey`, `AccessPolicy`",
            ],
        ),
        (
            "wrong version",
            "apiVersion: authd.dev/v1
kind: ApiKey
metadata: {name: k}
"
            .to_owned(),
            &["x.yaml:1:13: apiVersion: `authd.dev/v1` does not exist: write `authd.dev/v1alpha1`"],
        ),
        (
            "wrong group",
            "apiVersion: auth.dev/v1alpha1
kind: ApiKey
metadata: {name: k}
"
            .to_owned(),
            &["x.yaml:1:13: apiVersion: `auth.dev/v1alpha1` has no kind `ApiKey`: write `authd.dev/v1alpha1`"],
        ),
        (
            "core version",
            "apiVersion: v1
kind: ApiKey
metadata: {name: k}
"
            .to_owned(),
            &["x.yaml:1:13: apiVersion: `v1` has no kind `ApiKey`: write `authd.dev/v1alpha1`"],
        ),
        (
            "unknown kind of our group, near",
            "apiVersion: authd.dev/v1alpha1
kind: Accesspolicy
metadata: {name: k}
"
            .to_owned(),
            &["x.yaml:2:7: kind: `authd.dev/v1alpha1` has no kind `Accesspolicy`, did you mean `AccessPolicy`?"],
        ),
        (
            "unknown kind of our group",
            "apiVersion: authd.dev/v1alpha1
kind: Gateway
metadata: {name: k}
"
            .to_owned(),
            &[
                "x.yaml:2:7: kind: `authd.dev/v1alpha1` has no kind `Gateway`: the kinds are `Authd`, `AuthProvider`, `RoleMapping`, `ApiKey`, `AccessPolicy`",
            ],
        ),
        (
            "Secret of our group",
            "apiVersion: authd.dev/v1alpha1
kind: Secret
metadata: {name: k}
"
            .to_owned(),
            &[
                "x.yaml:2:7: kind: `authd.dev/v1alpha1` has no kind `Secret`: the kinds are `Authd`, `AuthProvider`, `RoleMapping`, `ApiKey`, `AccessPolicy`",
            ],
        ),
        (
            "other groups are noted",
            "apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec: {a: no, 1: 2}
---
apiVersion: v1
kind: ConfigMap
"
            .to_owned(),
            &[
                "note: x.yaml:2: `Deployment` of `apps/v1` is not read here",
                "note: x.yaml:7: `ConfigMap` of `v1` is not read here",
            ],
        ),
        (
            "kustomization is passed over",
            "apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
"
            .to_owned(),
            &[],
        ),
    ]
}

fn secrets() -> Vec<Row> {
    vec![
        (
            "Secret that is not base64",
            secret(
                "data:
  password: hunter2!
",
            ),
            &[
                "x.yaml:5:13: Secret default/s: data.password: the value is not base64: put plain text under `stringData`",
            ],
        ),
        (
            "Secret in data and stringData",
            secret(
                "data: {a: YQ==, password: YQ==}
stringData:
  password: hunter2
  b: c
",
            ),
            &[
                "x.yaml:6:3: Secret default/s: stringData.password: `password` is given under `data` too: keep one of the two",
            ],
        ),
        (
            "Secret with a number",
            secret(
                "stringData:
  pin: 1234
",
            ),
            &["x.yaml:5:8: Secret default/s: stringData.pin: expected text, found another type: write it in quotes"],
        ),
        (
            "Secret with a word",
            secret(
                r#"stringData:
  pin: 0123
  on: "x"
"#,
            ),
            &[
                "x.yaml:5:8: Secret default/s: stringData.pin: the word is read as different numbers by different programs: write it in quotes, or the number in decimal",
                "x.yaml:6:3: Secret default/s: stringData.on: the key `on` is not text: write it in quotes",
            ],
        ),
        (
            "Secret with a list",
            secret(
                "stringData: {pins: [1]}
",
            ),
            &["x.yaml:4:14: Secret default/s: stringData.pins: expected text, found a list"],
        ),
        (
            "Secret with an odd name",
            secret(
                r#"stringData: {"a b": c}
"#,
            ),
            &["x.yaml:4:14: Secret default/s: stringData[a b]: a name is letters, digits, `-`, `_` and `.`"],
        ),
        (
            "Secret with an unknown field",
            secret(
                "strngData: {a: b}
",
            ),
            &["x.yaml:4:1: Secret default/s: strngData: unknown field `strngData`, did you mean `stringData`?"],
        ),
    ]
}

fn documents() -> Vec<Row> {
    vec![
    ("items of a List", "apiVersion: v1
kind: List
items:
  - apiVersion: authd.dev/v1alpha1
    kind: AccessPolicy
    metadata: {name: p, namespace: team}
    spec:
      hosts: [A]
      rules: [{allow: {anyone: true}}]
".to_owned(), &[r"x.yaml:8:15: AccessPolicy team/p: spec.hosts[0]: `A` does not match `^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`: host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label (`*.example.com`, which covers exactly one label)"]),
    ("second document", "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  hosts: [a.example.com]
  rules: [{allow: {anyone: true}}]
---
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: q}
spec: {hosts: [b.example.com], ruls: []}
".to_owned(), &["x.yaml:11:32: AccessPolicy default/q: spec.ruls: unknown field `ruls`, did you mean `rules`?"]),
    ("name that is a word", "apiVersion: v1
kind: Namespace
metadata: {name: n}
".to_owned(), &[r#"x.yaml:3:18: Namespace n: metadata.name: `n` means `false` to kubectl: write `"n"` for the text, or `false`"#]),
    ("several mistakes in one object", policy("mode: X
hosts: [A, b.example.com]
rule: []
rules: [{paths: [x]}]"), &[
        "x.yaml:5:9: AccessPolicy default/p: spec.mode: `X` is not one of `Enforce`, `Shadow`",
        r"x.yaml:6:11: AccessPolicy default/p: spec.hosts[0]: `A` does not match `^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`: host names that this policy governs: exact (`grafana.example.com`) or with one leading wildcard label (`*.example.com`, which covers exactly one label)",
        "x.yaml:7:3: AccessPolicy default/p: spec.rule: unknown field `rule`, did you mean `rules`?",
        "x.yaml:8:11: AccessPolicy default/p: spec.rules[0].allow: missing field `allow`: who is allowed",
        r"x.yaml:8:20: AccessPolicy default/p: spec.rules[0].paths[0]: `x` does not match `^/[^?#;\\%\s]*$`: path prefixes, by whole segments: `/api` covers `/api` and `/api/x`, never `/apiary`",
    ]),
    ("same name twice in one file", "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  hosts: [a.example.com]
  rules: [{allow: {anyone: true}}]
---
apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  hosts: [b.example.com]
  rules: [{allow: {anyone: true}}]
".to_owned(), &["x.yaml:10:18: AccessPolicy default/p: metadata.name: is already declared in x.yaml:3:18"]),
    ("status is passed over", "apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec:
  hosts: [a.example.com]
  rules: [{allow: {anyone: true}}]
status: {whatever: 1}
".to_owned(), &[]),
    ("byte order mark", "\u{feff}apiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: p}\nspec:\n  hosts: [a.example.com]\n  ruls: []\n".to_owned(), &["x.yaml:6:3: AccessPolicy default/p: spec.ruls: unknown field `ruls`, did you mean `rules`?"]),
    ("windows line ends", "apiVersion: authd.dev/v1alpha1\r\nkind: AccessPolicy\r\nmetadata: {name: p}\r\nspec:\r\n  hosts: [a.example.com]\r\n  ruls: []\r\n".to_owned(), &["x.yaml:6:3: AccessPolicy default/p: spec.ruls: unknown field `ruls`, did you mean `rules`?"]),
    ("columns count characters", r#"apiVersion: authd.dev/v1alpha1
kind: AccessPolicy
metadata: {name: p}
spec: {hosts: [a.example.com], cedar: "é—ü", ruls: []}
"#.to_owned(), &["x.yaml:4:46: AccessPolicy default/p: spec.ruls: unknown field `ruls`, did you mean `rules`?"]),
    ]
}
