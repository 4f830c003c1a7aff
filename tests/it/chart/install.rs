//! A release is installed, followed from a repository, upgraded and uninstalled, and leaves what people declared.

use tests::cluster::Cluster;
use tests::repository;

use super::chart;

#[tokio::test]
async fn a_repository_is_applied_and_what_it_declares_outlives_the_release() {
    let cluster = Cluster::start().await;
    let file = |path: &str| repository().join(path).display().to_string();
    let kubectl = async |arguments: &[&str]| cluster.kubectl(arguments).await.ok();
    kubectl(&["apply", "-f", &file("examples/cluster/namespace.yaml")]).await;
    let chart = chart();
    let release = |verb: &'static str| {
        [
            verb,
            "authd",
            &chart,
            "--namespace",
            "authd-system",
            "--set",
            "namespaces={demo}",
            "--wait",
            "--timeout",
            "60s",
        ]
    };
    cluster
        .helm(&[&release("install")[..], &["--create-namespace"]].concat())
        .await
        .ok();

    let gitops = file("examples/gitops");
    kubectl(&["apply", "-k", &gitops]).await;
    let kinds = "authds,authproviders,rolemappings,apikeys,accesspolicies";
    for namespace in ["demo", "shop"] {
        for kind in kinds
            .split(',')
            .filter(|kind| namespace == "demo" || ["apikeys", "accesspolicies"].contains(kind))
        {
            kubectl(&[
                "wait",
                "--for=condition=Ready",
                "--timeout=60s",
                "--all",
                kind,
                "-n",
                namespace,
            ])
            .await;
        }
    }
    let difference = kubectl(&["diff", "-k", &gitops]).await;
    assert_eq!(difference, "", "what is applied is what stands");

    let operator = "system:serviceaccount:authd-system:authd";
    for (row, question, expected) in [
        ("Secrets, opted in", &["list", "secrets", "-n", "demo"][..], "yes"),
        ("ConfigMaps, opted in", &["list", "configmaps", "-n", "demo"], "yes"),
        ("ConfigMaps everywhere", &["list", "configmaps", "-A"], "no"),
        ("ConfigMaps, to write", &["update", "configmaps", "-n", "demo"], "no"),
        ("Secrets of a tenant", &["get", "secrets", "-n", "shop"], "no"),
        ("Secrets everywhere", &["list", "secrets", "-A"], "no"),
        ("policies", &["list", "accesspolicies.authd.dev", "-A"], "yes"),
        (
            "writing policies",
            &["update", "accesspolicies.authd.dev", "-n", "demo"],
            "no",
        ),
        (
            "their status",
            &[
                "patch",
                "accesspolicies.authd.dev",
                "--subresource=status",
                "-n",
                "shop",
            ],
            "yes",
        ),
        (
            "programs in Pods",
            &["create", "pods", "--subresource=exec", "-n", "demo"],
            "no",
        ),
        (
            "definitions",
            &["delete", "customresourcedefinitions.apiextensions.k8s.io"],
            "no",
        ),
    ] {
        let question = [&["auth", "can-i"], question, &["--as", operator]].concat();
        let may = cluster.kubectl(&question).await.attempt().is_ok();
        assert_eq!(may, expected == "yes", "{row}");
    }
    let replica = "system:serviceaccount:demo:main";
    for (row, question, expected) in [
        ("its index", &["get", "secrets/main-snapshot", "-n", "demo"][..], "yes"),
        (
            "the signing keys",
            &["get", "secrets/main-signing-keys", "-n", "demo"],
            "no",
        ),
        ("a key", &["get", "secrets/ci-api-key", "-n", "demo"], "no"),
        ("all Secrets", &["list", "secrets", "-n", "demo"], "no"),
        ("policies", &["get", "accesspolicies.authd.dev", "-n", "demo"], "no"),
    ] {
        let question = [&["auth", "can-i"], question, &["--as", replica]].concat();
        let may = cluster.kubectl(&question).await.attempt().is_ok();
        assert_eq!(may, expected == "yes", "{row}");
    }

    cluster.helm(&release("upgrade")).await.ok();
    cluster
        .helm(&["uninstall", "authd", "--namespace", "authd-system", "--wait"])
        .await
        .ok();
    let left = kubectl(&["get", "authd,deployment,secret", "-n", "demo", "-o", "name"]).await;
    for object in [
        "authd.authd.dev/main",
        "accesspolicy.authd.dev/app",
        "deployment.apps/main",
        "secret/ci-api-key",
    ] {
        assert!(left.contains(object), "{object}: {left}");
    }
    kubectl(&["get", "crd", "authds.authd.dev"]).await;
}
