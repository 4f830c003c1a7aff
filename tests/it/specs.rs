//! Whatever somebody writes into a spec is refused in words that name the field, or becomes something that says what it is.

mod settle;

use std::collections::BTreeMap;

use authd::load::validate::{Schema, Values};
use crds::{AccessPolicy, ApiKey, AuthProvider, Authd, GROUP, KINDS, RoleMapping, VERSION};
use futures::StreamExt as _;
use policy::Resources;
use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::mutate::{Dice, changed, seeds};

/// How many specs of each kind are tried in process.
const IN_PROCESS: u64 = 20_000;
/// How many specs of each kind are tried on the API server.
const ON_THE_SERVER: u64 = 200;

fn schemas() -> BTreeMap<&'static str, Schema> {
    KINDS
        .iter()
        .map(|kind| {
            let definition = serde_json::to_value((kind.definition)()).unwrap();
            let open_api = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            (
                kind.name,
                Schema::new((GROUP, VERSION, kind.name), open_api, Values::Shown).unwrap(),
            )
        })
        .collect()
}

fn object(kind: &str, name: &str, namespace: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": kind,
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    })
}

/// A sound instance with one object of this kind.
fn resources(kind: &str, admitted: Value) -> Result<Resources, serde_json::Error> {
    let mut resources = Resources::default();
    if kind != "Authd" {
        let spec = json!({ "publicUrl": "https://auth.example.com" });
        resources
            .authds
            .push(serde_json::from_value(object("Authd", "main", "auth", &spec))?);
    }
    match kind {
        "Authd" => resources.authds.push(serde_json::from_value::<Authd>(admitted)?),
        "AuthProvider" => resources
            .providers
            .push(serde_json::from_value::<AuthProvider>(admitted)?),
        "RoleMapping" => resources
            .role_mappings
            .push(serde_json::from_value::<RoleMapping>(admitted)?),
        "ApiKey" => resources.api_keys.push(serde_json::from_value::<ApiKey>(admitted)?),
        _ => resources
            .access_policies
            .push(serde_json::from_value::<AccessPolicy>(admitted)?),
    }
    Ok(resources)
}

/// Whether the Snapshot has it, or some problem says why not: accepted and ignored is a fault.
fn is_accounted_for(kind: &str, resources: &Resources) -> bool {
    let compiled = policy::compile(resources, None);
    let said = compiled.problems.iter().any(|problem| problem.kind == kind);
    let Some(snapshot) = compiled.snapshot else { return said };
    said || match kind {
        "ApiKey" => !snapshot.keys.is_empty(),
        "AccessPolicy" => !snapshot.access.is_empty(),
        "AuthProvider" => !snapshot.providers.is_empty(),
        _ => true,
    }
}

#[test]
fn every_spec_is_refused_by_its_field_or_accounted_for() {
    let schemas = schemas();
    let admitted: usize = std::thread::scope(|scope| {
        let schemas = &schemas;
        let kinds = seeds()
            .into_iter()
            .map(|(kind, seed)| scope.spawn(move || accounted_for(kind, &seed, &schemas[kind])));
        let kinds: Vec<_> = kinds.collect();
        kinds.into_iter().map(|kind| kind.join().unwrap()).sum()
    });
    assert!(admitted > 5_000, "only {admitted} were admitted");
}

/// How many specs of a kind were admitted, each of which is accounted for.
fn accounted_for(kind: &str, seed: &Value, schema: &Schema) -> usize {
    let mut count = 0;
    for number in 0..IN_PROCESS {
        let mut dice = Dice::new(number);
        let times = 1 + dice.roll(5);
        let spec = changed(seed, times, &mut dice);
        let (admitted, mistakes) = schema.admit(object(kind, "one", "auth", &spec));
        for mistake in &mistakes {
            assert!(
                mistake.pointer.starts_with("/spec") || mistake.pointer.is_empty(),
                "{kind} {number}: {mistake:?}"
            );
        }
        if mistakes.is_empty() {
            count += 1;
            let resources =
                resources(kind, admitted).unwrap_or_else(|error| panic!("{kind} {number}: {error}: {spec}"));
            assert!(
                is_accounted_for(kind, &resources),
                "{kind} {number}: accepted and ignored: {spec}"
            );
        }
    }
    count
}

#[tokio::test]
async fn the_api_server_and_this_program_refuse_the_same_specs() {
    let cluster = Cluster::shared().await;
    super::cluster::install_kinds(cluster).await;
    let namespace = cluster.namespace("specs").await;
    let client = cluster.client().await;
    let schemas = schemas();
    let (mut tries, schemas) = (Vec::new(), &schemas);
    for (kind, seed) in seeds() {
        for number in 0..ON_THE_SERVER {
            let mut dice = Dice::new(number);
            let times = 1 + dice.roll(3);
            tries.push((kind, number, changed(&seed, times, &mut dice)));
        }
    }
    let asked = futures::stream::iter(tries).map(|(kind, number, spec)| {
        let (client, namespace) = (client.clone(), namespace.to_string());
        async move {
            let whole = object(kind, "one", &namespace, &spec);
            let (_, mistakes) = schemas[kind].admit(whole.clone());
            let answer = dry_run(&client, kind, &namespace, &whole).await;
            let agree = answer.is_ok() == mistakes.is_empty();
            assert!(
                agree,
                "{kind} {number}: the API server says {answer:?}, this program {mistakes:?}: {spec}"
            );
            if let Err(message) = answer {
                assert!(message.contains("spec"), "{kind} {number}: which field? {message}");
            }
        }
    });
    asked.buffer_unordered(16).collect::<Vec<()>>().await;
}

/// Where the API server has the objects of a kind.
fn path(kind: &str, namespace: &str) -> String {
    let plural = match kind {
        "AccessPolicy" => "accesspolicies".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    };
    format!("/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}")
}

async fn dry_run(client: &kube::Client, kind: &str, namespace: &str, object: &Value) -> Result<(), String> {
    let path = format!("{}?dryRun=All&fieldValidation=Strict", path(kind, namespace));
    let request = http::Request::post(path).header("content-type", "application/json");
    let request = request.body(serde_json::to_vec(object).unwrap()).unwrap();
    client
        .request::<Value>(request)
        .await
        .map(drop)
        .map_err(|error| error.to_string())
}
