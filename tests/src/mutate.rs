//! Specs that somebody might write by mistake or on purpose: sound ones, changed in ways that the kinds' own schemas suggest.
//!
//! Mutations follow Acto's (SOSP'23): drop, empty, replace, push, pop, reorder, go to the bounds and beyond. What comes of a seed is
//! always the same.

use serde_json::{Map, Value, json};

/// Numbers that follow from a seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same seed rolls the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `sides`, which is at least 1.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(rolled).unwrap_or(0) % sides.max(1)
    }

    fn of<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.roll(from.len()))
    }
}

/// Text that breaks programs that were not written with it in mind.
const NASTY: [&str; 22] = [
    "",
    " ",
    "\u{0}",
    "a\r\nX-Auth-User: admin",
    "\u{202e}nimda",
    "e\u{301}",
    "\u{430}dmin",
    "../../etc/passwd",
    "{{ .Values }}",
    "${HOME}",
    "(a{1000}){1000}",
    "[",
    "http://169.254.169.254/",
    "file:///etc/passwd",
    "https://[::1]:0/",
    "https://user:pass@example.com",
    "xn--bcher-kva.example",
    "*.*.example.com",
    "-1",
    "0",
    "9999999999w",
    "admin",
];

/// Sound specs, by kind.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Authd",
            json!({
                "publicUrl": "https://auth.example.com", "displayName": "Example", "replicas": 2,
                "cookie": { "name": "token", "domain": "example.com", "sameSite": "Lax" },
                "tokens": { "algorithm": "EdDSA", "lifetime": "12h", "rotateEvery": "30d" },
                "sessions": { "lifetime": "4w", "idle": "7d", "maxPerUser": 5 },
                "passwords": { "minLength": 12, "bcryptCost": 12 },
                "signup": { "enabled": true, "defaultRole": "pending" },
                "bootstrapAdmin": { "email": "a@example.com", "passwordSecretRef": { "name": "admin", "key": "password" } },
                "rateLimits": { "signIn": { "limit": 15, "window": "3m" } },
                "apiKeys": { "endpointRestrictions": true, "allowedEndpoints": ["/api"] },
                "trustedProxies": ["10.0.0.0/8"],
                "proxyAuth": {
                    "secretRefs": [{ "name": "proxy", "key": "secret" }],
                    "tls": { "secretName": "tls", "clientCaRef": { "name": "ca", "key": "ca.crt" }, "clientNames": ["a.example.com"] },
                },
                "tenants": [{ "namespaceSelector": { "matchLabels": { "team": "a" } }, "hosts": ["*.a.example.com"] }],
            }),
        ),
        ("AuthProvider", json!({ "displayName": "Accounts", "password": {} })),
        (
            "RoleMapping",
            json!({
                "providerRef": { "name": "accounts" }, "onNoMatch": "Keep",
                "roles": [{ "role": "user", "whenAny": [{ "claim": "email", "glob": "*@example.com" }] }],
                "groups": { "grant": [{ "group": "staff", "whenAny": [{ "claim": "email", "equals": "b@example.com" }] }] },
            }),
        ),
        (
            "ApiKey",
            json!({
                "owner": { "service": "ci" }, "roles": ["deployer"], "secretName": "ci", "expiresAfter": "90d",
                "rotation": { "every": "30d", "overlap": "24h" },
                "allowedEndpoints": [{ "hosts": ["a.example.com"], "paths": ["/v1"], "methods": ["GET"] }],
            }),
        ),
        (
            "AccessPolicy",
            json!({
                "mode": "Enforce", "hosts": ["a.example.com", "*.b.example.com"],
                "rules": [
                    { "paths": ["/health"], "methods": ["GET"], "allow": { "anyone": true } },
                    { "allow": { "roles": ["user"], "groups": ["staff"] } },
                ],
                "cedar": "forbid (principal, action, resource) when { resource.path == \"/no\" };",
            }),
        ),
    ]
}

/// The spec after so many changes.
#[must_use]
pub fn changed(spec: &Value, times: usize, dice: &mut Dice) -> Value {
    let mut spec = spec.clone();
    for _ in 0..times {
        let mut places = Vec::new();
        walk(&spec, String::new(), &mut places);
        let Some(place) = dice.of(&places).cloned() else { break };
        change(&mut spec, &place, dice);
    }
    spec
}

fn walk(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(
                    member,
                    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    places,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
    if !at.is_empty() {
        places.push(at);
    }
}

fn change(spec: &mut Value, place: &str, dice: &mut Dice) {
    if dice.roll(5) == 0 {
        return remove(spec, place);
    }
    let Some(value) = spec.pointer_mut(place) else { return };
    let next = match value {
        Value::String(text) => string(text, dice),
        Value::Number(number) => number_near(number.as_i64().unwrap_or(0), dice),
        Value::Bool(flag) => json!(!*flag),
        Value::Array(items) => list(items, dice),
        Value::Object(members) => object(members, dice),
        Value::Null => json!({}),
    };
    *value = if dice.roll(12) == 0 { another_type(dice) } else { next };
}

fn remove(spec: &mut Value, place: &str) {
    let Some((parent, name)) = place.rsplit_once('/') else {
        return;
    };
    match spec.pointer_mut(parent) {
        Some(Value::Object(members)) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => {
            let index = name.parse().unwrap_or(usize::MAX);
            if index < items.len() {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn string(text: &str, dice: &mut Dice) -> Value {
    json!(match dice.roll(6) {
        0 => "x".repeat(65_536),
        1 => format!("{text}{text}"),
        2 => text.to_uppercase(),
        3 => text.chars().rev().collect(),
        _ => (*dice.of(&NASTY).unwrap_or(&"")).to_owned(),
    })
}

fn number_near(number: i64, dice: &mut Dice) -> Value {
    let near = [
        0,
        -1,
        1,
        number.saturating_sub(1),
        number.saturating_add(1),
        number.saturating_mul(1000),
        i64::from(i32::MAX),
        i64::MAX,
    ];
    json!(dice.of(&near))
}

fn list(items: &[Value], dice: &mut Dice) -> Value {
    let mut items = items.to_vec();
    match dice.roll(5) {
        0 => items.clear(),
        1 => drop(items.pop()),
        2 => items.reverse(),
        3 => items.extend(items.first().cloned()),
        _ => items = items.iter().cycle().take(items.len() * 100).cloned().collect(),
    }
    Value::Array(items)
}

fn object(members: &Map<String, Value>, dice: &mut Dice) -> Value {
    let mut members = members.clone();
    match dice.roll(4) {
        0 => members.clear(),
        1 => drop(members.insert("anyone".to_owned(), json!(true))),
        2 => drop(members.insert("unknown".to_owned(), json!(1))),
        _ => drop(members.insert("k".repeat(300), json!("v"))),
    }
    Value::Object(members)
}

fn another_type(dice: &mut Dice) -> Value {
    let types = [
        Value::Null,
        json!(""),
        json!([]),
        json!({}),
        json!(0),
        json!(1.5),
        json!(true),
    ];
    dice.of(&types).cloned().unwrap_or_default()
}
