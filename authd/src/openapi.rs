//! The JSON API as an OpenAPI 3.1 document. A test holds it against the router.

use axum::Json;
use serde_json::{Value, json};

/// Each route: method, path, who may call it, what it is for, and the schema of its body.
const ROUTES: &[(&str, &str, &str, &str, Option<&str>)] = &[
    ("get", "/api/v1/auths/", "any", "Who is signed in", None),
    (
        "post",
        "/api/v1/auths/signin",
        "public",
        "Sign in with e-mail and password",
        Some("SignIn"),
    ),
    (
        "post",
        "/api/v1/auths/signup",
        "public",
        "Make an account of one's own, where that is switched on",
        Some("NewAccount"),
    ),
    (
        "post",
        "/api/v1/auths/signout",
        "public",
        "End the session that is shown",
        None,
    ),
    (
        "post",
        "/api/v1/auths/add",
        "admin",
        "Make an account for somebody",
        Some("NewAccount"),
    ),
    (
        "post",
        "/api/v1/auths/update/profile",
        "verified",
        "Change one's profile",
        Some("Profile"),
    ),
    (
        "post",
        "/api/v1/auths/update/password",
        "any",
        "Change one's password; other sessions end",
        Some("PasswordChange"),
    ),
    (
        "post",
        "/api/v1/auths/api_key",
        "verified",
        "Make an API key, shown this once",
        Some("NewKey"),
    ),
    (
        "get",
        "/api/v1/auths/api_key",
        "any",
        "List one's API keys, without the keys",
        None,
    ),
    (
        "delete",
        "/api/v1/auths/api_key",
        "any",
        "Delete all of one's API keys",
        None,
    ),
    (
        "delete",
        "/api/v1/auths/api_key/{id}",
        "any",
        "Delete one of one's API keys",
        None,
    ),
    (
        "get",
        "/api/v1/auths/sessions",
        "any",
        "List the devices on which one is signed in",
        None,
    ),
    (
        "delete",
        "/api/v1/auths/sessions",
        "any",
        "Sign out everywhere but here",
        None,
    ),
    (
        "delete",
        "/api/v1/auths/sessions/{id}",
        "any",
        "Sign out one device",
        None,
    ),
    (
        "get",
        "/api/v1/auths/admin/details",
        "any",
        "Whom to ask for access",
        None,
    ),
    (
        "get",
        "/api/v1/auths/admin/config",
        "admin",
        "The settings in force, from the resources alone",
        None,
    ),
    (
        "post",
        "/api/v1/auths/admin/config",
        "admin",
        "Always 405: settings are changed in the resources",
        None,
    ),
    ("get", "/api/v1/users/", "admin", "List accounts, 30 a page", None),
    (
        "post",
        "/api/v1/users/{id}/update",
        "admin",
        "Change an account's role, or keep it out",
        Some("AccountChange"),
    ),
    ("delete", "/api/v1/users/{id}", "admin", "Delete an account", None),
    (
        "get",
        "/api/config",
        "public",
        "What clients need to know before anybody signs in",
        None,
    ),
    (
        "get",
        "/.well-known/jwks.json",
        "public",
        "Public keys of session tokens (RFC 7517)",
        None,
    ),
    (
        "get",
        "/.well-known/openid-configuration",
        "public",
        "Where the keys are",
        None,
    ),
];

/// `GET /openapi.json`.
pub async fn document() -> Json<Value> {
    Json(build())
}

/// The whole document.
pub(crate) fn build() -> Value {
    let mut paths = serde_json::Map::new();
    for (method, path, who, summary, body) in ROUTES {
        let operations = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        if let Some(operations) = operations.as_object_mut() {
            operations.insert((*method).to_owned(), operation(path, who, summary, *body));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "authd", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A session token or an API key"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "token"},
            },
            "schemas": schemas(),
        },
    })
}

fn operation(path: &str, who: &str, summary: &str, body: Option<&str>) -> Value {
    let error = json!({"description": "Refused", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
    let mut operation = json!({
        "summary": summary,
        "description": format!("Who may call it: {who}."),
        "responses": {"200": {"description": "Done"}, "default": error},
    });
    if let Some(operation) = operation.as_object_mut() {
        if who != "public" {
            operation.insert("security".to_owned(), json!([{"bearer": []}, {"cookie": []}]));
        }
        if path.contains("{id}") {
            let id =
                json!([{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}]);
            operation.insert("parameters".to_owned(), id);
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

fn schemas() -> Value {
    let text = || json!({"type": "string"});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties});
    json!({
        "Error": object(&["detail", "code"], json!({"detail": text(), "code": text()})),
        "SignIn": object(&["email", "password"], json!({"email": text(), "password": text()})),
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
        "AccountChange": object(&[], json!({"role": {"enum": ["pending", "user", "admin"]}, "disabled": {"type": "boolean"}})),
    })
}

#[cfg(test)]
mod tests {
    use super::ROUTES;

    #[test]
    fn every_route_of_the_router_is_documented() {
        let router = include_str!("router.rs");
        for (_, path, ..) in ROUTES {
            let inner = path.strip_prefix("/api/v1/auths").unwrap_or(path);
            let routed = [path, inner]
                .iter()
                .any(|path| router.contains(&format!("(\"{path}\"")));
            assert!(routed, "{path} is documented and not routed");
        }
        let routes = router
            .lines()
            .filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next());
        for route in routes.filter(|route| route.starts_with("/api") || route.starts_with("/.well")) {
            let known = route.contains("{*rest}") || ROUTES.iter().any(|(_, path, ..)| path.ends_with(route));
            assert!(known, "{route} is routed and not documented");
        }
    }
}
