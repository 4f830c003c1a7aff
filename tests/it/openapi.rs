//! Does the program answer what its OpenAPI document says? Every operation of the document is called.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};
use tests::http::{Request, get};
use tests::resources::ADMIN_PASSWORD;
use tests::world::PASSWORD;

use crate::ldap::company;

/// A schema of the document that allows no member that it does not name.
fn strict(document: &Value, schema: &Value) -> Value {
    fn close(schema: &mut Value) {
        if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
            schema["additionalProperties"] = json!(false);
        }
        match schema {
            Value::Object(members) => members.values_mut().for_each(close),
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut root = json!({"components": document["components"]["schemas"]});
    close(&mut root);
    json!({"allOf": [schema], "components": {"schemas": root["components"]}})
}

#[track_caller]
fn check(document: &Value, case: &str, schema: &Value, body: &Value) {
    assert!(schema.is_object(), "{case}: the document says nothing of this answer");
    let validator = jsonschema::validator_for(&strict(document, schema)).unwrap();
    let wrong: Vec<String> = validator.iter_errors(body).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{case}: {wrong:?} in {body}");
}

#[tokio::test]
async fn every_answer_has_the_members_of_its_schema_and_no_others() {
    let (_directory, world) = company().await;
    let document = get(world.public("/openapi.json"))
        .send()
        .await
        .expect("document", 200)
        .json();
    let admin = world.admin().await;
    let (ann, bob) = (world.person("ann", "user").await, world.person("bob", "user").await);
    let other = world.sign_in(&ann.email, PASSWORD).await;
    let keys = [world.key_of(&ann).await, world.key_of(&ann).await];
    let listed = get(world.auths("api_key")).bearer(&ann.token).send().await.json();
    let key = listed["keys"][0]["id"].as_str().unwrap().to_owned();
    let sessions = get(world.auths("sessions")).bearer(&ann.token).send().await.json();
    let elsewhere = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["current"] == false);
    let elsewhere = elsewhere.unwrap()["id"].as_str().unwrap().to_owned();
    let bobs = get(world.auths("sessions")).bearer(&bob.token).send().await.json();
    let bobs = bobs["sessions"][0]["id"].as_str().unwrap().to_owned();
    let new = |email: &str| json!({"name": "New", "email": email, "password": PASSWORD, "role": "user"});

    let none = Value::Null;
    // In this order: what is ended or deleted comes after what is listed.
    let rows: Vec<(&str, &str, &str, &str, Value)> = vec![
        ("get", "/api/config", "", "", none.clone()),
        ("get", "/.well-known/jwks.json", "", "", none.clone()),
        ("get", "/.well-known/openid-configuration", "", "", none.clone()),
        (
            "post",
            "/api/v1/auths/signin",
            "",
            "",
            json!({"email": "admin@example.com", "password": ADMIN_PASSWORD}),
        ),
        (
            "post",
            "/api/v1/auths/ldap",
            "",
            "",
            json!({"user": "ann", "password": "ann's password"}),
        ),
        ("post", "/api/v1/auths/signup", "", "", new("own@example.com")),
        ("get", "/api/v1/auths/", &ann.token, "", none.clone()),
        ("get", "/api/v1/auths/", &keys[1], "", none.clone()),
        (
            "post",
            "/api/v1/auths/update/profile",
            &ann.token,
            "",
            json!({"name": "Ann", "profile_image_url": "/a.png", "bio": "b", "date_of_birth": "2000-01-31"}),
        ),
        ("get", "/api/v1/auths/", &ann.token, "", none.clone()),
        ("get", "/api/v1/auths/admin/details", &ann.token, "", none.clone()),
        (
            "post",
            "/api/v1/auths/api_key",
            &ann.token,
            "",
            json!({"name": "k", "expires_at": 4_000_000_000_u64, "endpoints": [{"paths": ["/a"]}]}),
        ),
        ("get", "/api/v1/auths/api_key", &ann.token, "", none.clone()),
        ("delete", "/api/v1/auths/api_key/{id}", &ann.token, &key, none.clone()),
        ("delete", "/api/v1/auths/api_key", &ann.token, "", none.clone()),
        ("get", "/api/v1/auths/sessions", &ann.token, "", none.clone()),
        (
            "delete",
            "/api/v1/auths/sessions/{id}",
            &ann.token,
            &elsewhere,
            none.clone(),
        ),
        ("delete", "/api/v1/auths/sessions", &ann.token, "", none.clone()),
        (
            "post",
            "/api/v1/auths/update/password",
            &bob.token,
            "",
            json!({"password": PASSWORD, "new_password": "another long passphrase"}),
        ),
        ("post", "/api/v1/auths/add", &admin.token, "", new("added@example.com")),
        ("get", "/api/v1/auths/admin/config", &admin.token, "", none.clone()),
        ("get", "/api/v1/users/", &admin.token, "", none.clone()),
        (
            "get",
            "/api/v1/users/{id}/sessions",
            &admin.token,
            &bob.id,
            none.clone(),
        ),
        (
            "delete",
            "/api/v1/users/{id}/sessions/{session}",
            &admin.token,
            &bob.id,
            none.clone(),
        ),
        (
            "delete",
            "/api/v1/users/{id}/sessions",
            &admin.token,
            &bob.id,
            none.clone(),
        ),
        (
            "post",
            "/api/v1/users/{id}/update",
            &admin.token,
            &bob.id,
            json!({"role": "pending"}),
        ),
        ("delete", "/api/v1/users/{id}", &admin.token, &bob.id, none.clone()),
        ("post", "/api/v1/auths/signout", &ann.token, "", json!({})),
        (
            "post",
            "/api/v1/auths/token/revoke",
            "",
            "",
            json!({"token": other.token}),
        ),
        (
            "delete",
            "/api/v1/providers/{name}/sessions",
            &admin.token,
            "",
            none.clone(),
        ),
    ];
    let address = |path: &str, id: &str| {
        let path = path.replace("{id}", id).replace("{session}", &bobs);
        world.public(&path.replace("{name}", "accounts"))
    };
    let mut called = BTreeSet::new();
    for (method, path, token, id, body) in &rows {
        let verb: Method = method.to_uppercase().parse().unwrap();
        let mut request = Request::new(verb, address(path, id));
        if !token.is_empty() {
            request = request.bearer(token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let case = format!("{method} {path}");
        let answer = request.send().await.expect(&case, 200);
        let schema = &document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"];
        check(&document, &case, schema, &answer.json());
        called.insert((method.to_string(), (*path).to_owned()));
    }
    assert!(!other.token.is_empty());

    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let case = format!("{method} {path}");
            let answered = operation["responses"].get("200").is_some();
            let was_called = called.contains(&(method.clone(), path.clone()));
            assert_eq!(answered, was_called, "{case}: an answer that nobody looked at");
            let Some(_) = operation.get("security") else { continue };
            let verb: Method = method.to_uppercase().parse().unwrap();
            let uri = address(path, "00000000-0000-7000-8000-000000000000");
            let refused = Request::new(verb, uri).send().await.expect(&case, 401);
            let schema = &operation["responses"]["default"]["content"]["application/json"]["schema"];
            check(&document, &case, schema, &refused.json());
        }
    }
    let session = json!({"$ref": "#/components/schemas/Session"});
    let validator = jsonschema::validator_for(&strict(&document, &session)).unwrap();
    let ann = world.try_password("admin@example.com", ADMIN_PASSWORD).await.json();
    for change in [
        ("token", None),
        ("surprise", Some(json!(1))),
        ("role", Some(json!("root"))),
        ("expires_at", Some(json!("x"))),
    ] {
        let mut body = ann.clone();
        match change.clone() {
            (member, None) => body.as_object_mut().unwrap().remove(member),
            (member, Some(value)) => body.as_object_mut().unwrap().insert(member.to_owned(), value),
        };
        assert!(
            validator.is_valid(&ann) && !validator.is_valid(&body),
            "control: {change:?}"
        );
    }
}
