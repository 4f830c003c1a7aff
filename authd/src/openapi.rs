//! The JSON API as an OpenAPI 3.1 document. Tests hold it against the router, and against what the program answers.

use axum::Json;
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::api::answers::{
    Account, Contact, Devices, EffectiveConfig, Ended, Keys, Listed, MadeKey, Me, Page, PublicConfig, Session,
    SignedOut,
};
use crate::token::jwks::{Discovery, KeySet};

/// One route: method and path, who may call it, what it is for, and the schemas of its body and of its answer.
struct Route(
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<fn(&mut SchemaGenerator) -> Schema>,
);

/// The schema of what a route answers: of the type that its handler returns.
const fn answers<T: JsonSchema>() -> Option<fn(&mut SchemaGenerator) -> Schema> {
    Some(SchemaGenerator::subschema_for::<T>)
}

const ROUTES: &[Route] = &[
    Route(
        "get",
        "/api/v1/auths/",
        "any",
        "Who is signed in",
        None,
        answers::<Me>(),
    ),
    Route(
        "post",
        "/api/v1/auths/signin",
        "public",
        "Sign in with e-mail and password",
        Some("SignIn"),
        answers::<Session>(),
    ),
    Route(
        "post",
        "/api/v1/auths/ldap",
        "public",
        "Sign in with a directory",
        Some("DirectorySignIn"),
        answers::<Session>(),
    ),
    Route(
        "post",
        "/api/v1/auths/signup",
        "public",
        "Make an account of one's own, where that is switched on",
        Some("NewAccount"),
        answers::<Session>(),
    ),
    Route(
        "post",
        "/api/v1/auths/signout",
        "public",
        "End the session that is shown",
        None,
        answers::<SignedOut>(),
    ),
    Route(
        "post",
        "/api/v1/auths/add",
        "admin",
        "Make an account for somebody",
        Some("NewAccount"),
        answers::<Account>(),
    ),
    Route(
        "post",
        "/api/v1/auths/update/profile",
        "verified",
        "Change one's profile",
        Some("Profile"),
        answers::<Account>(),
    ),
    Route(
        "post",
        "/api/v1/auths/update/password",
        "any",
        "Change one's password; other sessions end",
        Some("PasswordChange"),
        answers::<bool>(),
    ),
    Route(
        "post",
        "/api/v1/auths/api_key",
        "verified",
        "Make an API key, shown this once",
        Some("NewKey"),
        answers::<MadeKey>(),
    ),
    Route(
        "get",
        "/api/v1/auths/api_key",
        "any",
        "List one's API keys, without the keys",
        None,
        answers::<Keys>(),
    ),
    Route(
        "delete",
        "/api/v1/auths/api_key",
        "any",
        "Delete all of one's API keys",
        None,
        answers::<bool>(),
    ),
    Route(
        "delete",
        "/api/v1/auths/api_key/{id}",
        "any",
        "Delete one of one's API keys",
        None,
        answers::<bool>(),
    ),
    Route(
        "get",
        "/api/v1/auths/sessions",
        "any",
        "List the devices on which one is signed in",
        None,
        answers::<Devices>(),
    ),
    Route(
        "delete",
        "/api/v1/auths/sessions",
        "any",
        "Sign out everywhere but here; with `?here=ends` here too",
        None,
        answers::<Ended>(),
    ),
    Route(
        "delete",
        "/api/v1/auths/sessions/{id}",
        "any",
        "Sign out one device",
        None,
        answers::<bool>(),
    ),
    Route(
        "post",
        "/api/v1/auths/token/revoke",
        "public",
        "Revoke one token, by whoever has it; its session goes on",
        Some("TokenToRevoke"),
        answers::<bool>(),
    ),
    Route(
        "get",
        "/api/v1/auths/admin/details",
        "any",
        "Whom to ask for access",
        None,
        answers::<Contact>(),
    ),
    Route(
        "get",
        "/api/v1/auths/admin/config",
        "admin",
        "The settings in force, from the resources alone",
        None,
        answers::<EffectiveConfig>(),
    ),
    Route(
        "post",
        "/api/v1/auths/admin/config",
        "admin",
        "Always 405: settings are changed in the resources",
        None,
        None,
    ),
    Route(
        "get",
        "/api/v1/users/",
        "admin",
        "List accounts, 30 a page",
        None,
        answers::<Page>(),
    ),
    Route(
        "post",
        "/api/v1/users/{id}/update",
        "admin",
        "Change an account's role, or keep it out",
        Some("AccountChange"),
        answers::<Listed>(),
    ),
    Route(
        "delete",
        "/api/v1/users/{id}",
        "admin",
        "Delete an account",
        None,
        answers::<bool>(),
    ),
    Route(
        "get",
        "/api/v1/users/{id}/sessions",
        "admin",
        "List the devices on which somebody is signed in",
        None,
        answers::<Devices>(),
    ),
    Route(
        "delete",
        "/api/v1/users/{id}/sessions",
        "admin",
        "Sign somebody out everywhere",
        None,
        answers::<Ended>(),
    ),
    Route(
        "delete",
        "/api/v1/users/{id}/sessions/{session}",
        "admin",
        "Sign somebody out on one device",
        None,
        answers::<bool>(),
    ),
    Route(
        "delete",
        "/api/v1/providers/{name}/sessions",
        "admin",
        "Sign everybody out who signed in through a provider",
        None,
        answers::<Ended>(),
    ),
    Route(
        "get",
        "/api/config",
        "public",
        "What clients need to know before anybody signs in",
        None,
        answers::<PublicConfig>(),
    ),
    Route(
        "get",
        "/.well-known/jwks.json",
        "public",
        "Public keys of session tokens (RFC 7517)",
        None,
        answers::<KeySet>(),
    ),
    Route(
        "get",
        "/.well-known/openid-configuration",
        "public",
        "Where the keys are",
        None,
        answers::<Discovery>(),
    ),
];

/// `GET /openapi.json`.
pub async fn document() -> Json<Value> {
    Json(build())
}

/// The whole document.
pub(crate) fn build() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.contract = Contract::Serialize;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let operations = paths.entry(route.1.to_owned()).or_insert_with(|| json!({}));
        if let Some(operations) = operations.as_object_mut() {
            operations.insert(route.0.to_owned(), operation(route, &mut generator));
        }
    }
    let mut schemas = requests();
    schemas.extend(generator.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {"title": "authd", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A session token or an API key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "token"},
            },
            "schemas": schemas,
        },
    })
}

fn operation(Route(_, path, who, summary, body, answer): &Route, generator: &mut SchemaGenerator) -> Value {
    let error = json!({"description": "Refused", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
    let mut responses = Map::from_iter([("default".to_owned(), error)]);
    if let Some(answer) = answer {
        let schema = answer(generator);
        let done = json!({"description": "Done", "content": {"application/json": {"schema": schema}}});
        responses.insert("200".to_owned(), done);
    }
    let mut operation = json!({
        "summary": summary,
        "description": format!("Who may call it: {who}."),
        "responses": responses,
    });
    if let Some(operation) = operation.as_object_mut() {
        if *who != "public" {
            operation.insert("security".to_owned(), json!([{"bearer": []}, {"cookie": []}]));
        }
        let uuid = json!({"type": "string", "format": "uuid"});
        let known = [
            ("id", uuid.clone()),
            ("session", uuid),
            ("name", json!({"type": "string"})),
        ];
        let parameters: Vec<Value> = known
            .into_iter()
            .filter(|(name, _)| path.contains(&format!("{{{name}}}")))
            .map(|(name, schema)| json!({"name": name, "in": "path", "required": true, "schema": schema}))
            .collect();
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if let Some(body) = body {
            let schema = json!({"$ref": format!("#/components/schemas/{body}")});
            operation.insert(
                "requestBody".to_owned(),
                json!({"content": {"application/json": {"schema": schema}}}),
            );
        }
    }
    operation
}

/// What requests carry, and how every refusal looks.
fn requests() -> Map<String, Value> {
    let text = || json!({"type": "string"});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties});
    let schemas = json!({
        "Error": object(&["detail", "code"], json!({"detail": text(), "code": text()})),
        "SignIn": object(&["email", "password"], json!({"email": text(), "password": text()})),
        "DirectorySignIn": object(&["user", "password"], json!({
            "user": text(), "password": text(),
            "provider": {"type": "string", "description": "The AuthProvider, where there is more than one directory"},
        })),
        "NewAccount": object(&["name", "email", "password"], json!({
            "name": text(), "email": text(), "password": text(), "profile_image_url": text(),
            "role": {"enum": ["pending", "user", "admin"], "description": "For `add` alone"},
        })),
        "Profile": object(&["name", "profile_image_url"], json!({
            "name": text(), "profile_image_url": text(), "bio": {"type": ["string", "null"]},
            "gender": {"type": ["string", "null"]}, "date_of_birth": {"type": ["string", "null"], "format": "date"},
        })),
        "PasswordChange": object(&["password", "new_password"], json!({"password": text(), "new_password": text()})),
        "NewKey": object(&[], json!({
            "name": text(),
            "expires_at": {"type": "integer", "description": "Epoch seconds"},
            "endpoints": {"type": "array", "items": object(&[], json!({
                "hosts": {"type": "array", "items": text()},
                "paths": {"type": "array", "items": text()},
                "methods": {"type": "array", "items": text()},
            }))},
        })),
        "TokenToRevoke": object(&["token"], json!({"token": text()})),
        "AccountChange": object(&[], json!({"role": {"enum": ["pending", "user", "admin"]}, "disabled": {"type": "boolean"}})),
    });
    schemas.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{ROUTES, Route};

    #[test]
    fn every_route_of_the_router_is_documented() {
        let router: String = include_str!("router.rs").split_whitespace().collect();
        for Route(_, path, ..) in ROUTES {
            let inner = path.strip_prefix("/api/v1/auths").unwrap_or(path);
            let routed = [path, inner]
                .iter()
                .any(|path| router.contains(&format!("(\"{path}\"")));
            assert!(routed, "{path} is documented and not routed");
        }
        let routes = router
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        for route in routes.filter(|route| route.starts_with("/api") || route.starts_with("/.well")) {
            let known = route.contains("{*rest}") || ROUTES.iter().any(|Route(_, path, ..)| path.ends_with(route));
            assert!(known, "{route} is routed and not documented");
        }
    }
}
