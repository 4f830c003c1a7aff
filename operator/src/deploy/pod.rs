//! The Pods of an Authd.

use crds::published::{index_secret, shard_secret};
use crds::{ResourceExt as _, SecretKeyRef};
use serde_json::{Value, json};

use super::{ADMIN, GRPC, PUBLIC, Parts, VERIFY};

/// How long a Pod that is to stop goes on answering, so that whoever sends it requests learns of it.
const DRAIN_SECONDS: u32 = 5;
/// How long a token of the ServiceAccount is valid; kubelet replaces it in time.
const TOKEN_SECONDS: u32 = 3607;
/// Who runs it: nobody of the machine.
const USER: u32 = 65532;

impl Parts<'_> {
    pub(super) fn pod(&self, image: &str) -> Value {
        json!({
            "serviceAccountName": self.name,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": 45,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "topologySpreadConstraints": [{
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": self.selector() },
            }],
            "containers": [self.container(image)],
            "volumes": self.volumes(),
        })
    }

    fn container(&self, image: &str) -> Value {
        let instance = format!("{}/{}", self.authd.namespace().unwrap_or_default(), self.name);
        let field =
            |name: &str, path: &str| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } });
        let mut env = vec![
            field("POD_NAME", "metadata.name"),
            field("POD_UID", "metadata.uid"),
            field("POD_IP", "status.podIP"),
        ];
        // No Pod starts before the Secret is there, so that none keeps accounts in a file meanwhile.
        env.extend(self.authd.spec.database.as_ref().map(|database| {
            let SecretKeyRef { name, key } = &database.postgres_secret_ref;
            json!({ "name": "AUTHD_POSTGRES_URL", "valueFrom": { "secretKeyRef": { "name": name, "key": key } } })
        }));
        env.extend(self.authd.spec.redis.as_ref().map(|redis| {
            let SecretKeyRef { name, key } = &redis.secret_ref;
            json!({ "name": "AUTHD_REDIS_URL", "valueFrom": { "secretKeyRef": { "name": name, "key": key } } })
        }));
        let port = |name: &str, port: u16| json!({ "name": name, "containerPort": port, "protocol": "TCP" });
        let probe = |path: &str, period: u32, failures: u32| {
            json!({
                "httpGet": { "path": path, "port": "admin" },
                "periodSeconds": period, "timeoutSeconds": 2, "failureThreshold": failures,
            })
        };
        json!({
            "name": "authd",
            "image": image,
            "args": self.arguments(&instance),
            "env": env,
            "ports": [port("public", PUBLIC), port("verify", VERIFY), port("grpc", GRPC), port("admin", ADMIN)],
            "readinessProbe": probe("/readyz", 2, 2),
            "livenessProbe": probe("/livez", 10, 6),
            "startupProbe": probe("/livez", 1, 60),
            "resources": { "requests": { "cpu": "50m", "memory": "64Mi" }, "limits": { "memory": "512Mi" } },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
            "volumeMounts": self.mounts(),
        })
    }

    fn arguments(&self, instance: &str) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "serve",
            "--instance",
            instance,
            "--shards",
            "/snapshot",
            "--follow-cluster",
            "--data",
            "/data",
            "--drain",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(DRAIN_SECONDS.to_string());
        for (flag, port) in [
            ("--public", PUBLIC),
            ("--verify", VERIFY),
            ("--grpc", GRPC),
            ("--admin", ADMIN),
        ] {
            arguments.extend([flag.to_owned(), format!("$(POD_IP):{port}")]);
        }
        if let Some(redis) = &self.authd.spec.redis {
            arguments.extend(["--redis-prefix".to_owned(), redis.key_prefix.clone()]);
        }
        for (name, _) in self.authorities() {
            let flag = if name == "database" {
                "--postgres-ca"
            } else {
                "--redis-ca"
            };
            arguments.extend([flag.to_owned(), format!("/{name}/ca.crt")]);
        }
        arguments
    }

    /// Where the certificates are that those of the database and of Redis are believed from, each with the name of its volume.
    fn authorities(&self) -> impl Iterator<Item = (&'static str, &SecretKeyRef)> {
        let spec = &self.authd.spec;
        let database = spec
            .database
            .as_ref()
            .and_then(|database| database.ca_secret_ref.as_ref());
        let redis = spec.redis.as_ref().and_then(|redis| redis.ca_secret_ref.as_ref());
        [("database", database), ("redis", redis)]
            .into_iter()
            .filter_map(|(name, reference)| Some((name, reference?)))
    }

    fn mounts(&self) -> Vec<Value> {
        let read_only = |name: String, path: String| json!({ "name": name, "mountPath": path, "readOnly": true });
        let shards = (0..self.shards).map(|number| read_only(format!("shard-{number}"), format!("/snapshot/{number}")));
        let mut mounts = vec![json!({ "name": "data", "mountPath": "/data" })];
        mounts.push(read_only(
            "token".to_owned(),
            "/var/run/secrets/kubernetes.io/serviceaccount".to_owned(),
        ));
        mounts.push(read_only("index".to_owned(), "/snapshot/index".to_owned()));
        mounts.extend(shards);
        mounts.extend(
            self.authorities()
                .map(|(name, _)| read_only(name.to_owned(), format!("/{name}"))),
        );
        mounts
    }

    /// Secrets are optional, as a Pod may be there before the Snapshot, and shards that are not needed are not there.
    fn volumes(&self) -> Vec<Value> {
        let secret =
            |name: String, of: String| json!({ "name": name, "secret": { "secretName": of, "optional": true } });
        let data = match &self.authd.spec.storage {
            Some(storage) => json!({ "name": "data", "persistentVolumeClaim": { "claimName": storage.claim_name } }),
            None => json!({ "name": "data", "emptyDir": {} }),
        };
        let token = json!({ "name": "token", "projected": { "sources": [
            { "serviceAccountToken": { "path": "token", "expirationSeconds": TOKEN_SECONDS } },
            { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
            { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" } }] } },
        ] } });
        let shards = (0..self.shards).map(|number| secret(format!("shard-{number}"), shard_secret(&self.name, number)));
        let mut volumes = vec![data, token, secret("index".to_owned(), index_secret(&self.name))];
        volumes.extend(shards);
        volumes.extend(self.authorities().map(|(volume, SecretKeyRef { name, key })| {
            let items = json!([{ "key": key, "path": "ca.crt" }]);
            json!({ "name": volume, "secret": { "secretName": name, "items": items } })
        }));
        volumes
    }
}
