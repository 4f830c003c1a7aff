//! The examples for ingresses of a cluster, as an API server reads them that knows those projects' own definitions.

use tests::cluster::{Cluster, Namespace};
use tests::{cache, repository, wait};

/// Each example with a mistake, and what the API server has to say of it.
const EXAMPLES: [(&str, &str, &str, &str); 6] = [
    (
        "ingress-nginx.yaml",
        "pathType: Prefix",
        "pathType: Sometimes",
        "pathType",
    ),
    (
        "traefik.yaml",
        "trustForwardHeader:",
        "trustForwardHeaders:",
        ".spec.forwardAuth.trustForwardHeaders: field not declared in schema",
    ),
    (
        "gateway-api.yaml",
        "protocol: HTTP\n",
        "protocol: GRPC\n",
        "grpc must be specified when protocol is set to 'GRPC'",
    ),
    (
        "envoy-gateway.yaml",
        "statusOnError: 503",
        "statusOnError: 200",
        "spec.extAuth.statusOnError",
    ),
    ("istio.yaml", "action: CUSTOM", "action: ASK", "spec.action"),
    ("contour.yaml", "failOpen: false", "failOpen: never", "failOpen"),
];

fn example(name: &str) -> String {
    std::fs::read_to_string(repository().join("examples/ingress").join(name)).unwrap()
}

fn published(name: &str) -> String {
    let path = cache().join("ingress").join(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run tests/ingress/install", path.display()))
}

/// Applies it without keeping it, as strictly as the API server can.
async fn tried(cluster: &Cluster, namespace: &Namespace, yaml: &str) -> tests::cluster::Said {
    let yaml = yaml.replace("namespace: demo", &format!("namespace: {namespace}"));
    let arguments = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
    ];
    cluster.kubectl_as(tests::cluster::User::Admin, &arguments, &yaml).await
}

#[tokio::test]
async fn every_example_is_what_its_project_defines() {
    let cluster = Cluster::shared().await;
    let namespace = cluster.namespace("ingresses").await;
    for entry in std::fs::read_dir(cache().join("ingress")).unwrap() {
        let path = entry.unwrap().path().display().to_string();
        if path.ends_with(".yaml") {
            let applied = cluster.kubectl(&["apply", "--server-side", "-f", &path]).await.ok();
            assert!(applied.contains("customresourcedefinition"), "{path}: {applied}");
        }
    }
    let names = std::fs::read_dir(repository().join("examples/ingress")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let known = |name: &String| {
        name == "README.md" || name == "istio-mesh.yaml" || EXAMPLES.iter().any(|(known, ..)| known == name)
    };
    let unknown: Vec<String> = names.filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "nobody looks at {unknown:?}");
    for (name, right, wrong, said) in EXAMPLES {
        let yaml = example(name);
        // A definition is served a moment after it was taken.
        wait::until(name, || async { tried(cluster, &namespace, &yaml).await.attempt() }).await;
        assert!(yaml.contains(right), "{name}: `{right}`");
        let refused = tried(cluster, &namespace, &yaml.replace(right, wrong)).await.refused();
        assert!(refused.contains(said), "{name} with `{wrong}`: {refused}");
    }
}

#[test]
fn the_annotations_are_those_of_ingress_nginx() {
    let published = published("annotations.md");
    let example = example("ingress-nginx.yaml");
    let used: Vec<&str> = example
        .lines()
        .filter_map(|line| Some(line.trim().split_once(':')?.0))
        .filter(|name| name.starts_with("nginx.ingress.kubernetes.io/"))
        .collect();
    assert!(used.len() > 4, "control: {used:?}");
    let documented = |name: &str| published.contains(&format!("`{name}`")) || published.contains(&format!("`{name}:"));
    for name in used {
        assert!(documented(name), "`{name}` is not documented");
    }
    assert!(!documented("nginx.ingress.kubernetes.io/auth-uri"), "control");
}

#[test]
fn the_mesh_configuration_is_what_istio_defines() {
    let published = published("config.proto");
    let defined = |name: &str| {
        let snake = name.chars().fold(String::new(), |snake, character| {
            if character.is_ascii_uppercase() {
                format!("{snake}_{}", character.to_ascii_lowercase())
            } else {
                format!("{snake}{character}")
            }
        });
        published.contains(&format!(" {snake} = "))
    };
    let mesh: serde_json::Value = serde_saphyr::from_str(&example("istio-mesh.yaml")).unwrap();
    let provider = &mesh["extensionProviders"][0];
    let names = [
        &mesh,
        provider,
        &provider["envoyExtAuthzHttp"],
        &mesh["pathNormalization"],
    ]
    .map(|part| {
        let part = part.as_object().unwrap();
        part.keys().cloned().collect::<Vec<_>>()
    });
    let names = names.concat();
    assert!(names.len() > 10, "control: {names:?}");
    for name in names {
        assert!(defined(&name), "`{name}` is no field");
    }
    assert!(!defined("includeHeaders"), "control");
    assert!(published.contains("DECODE_AND_MERGE_SLASHES = "));
}
