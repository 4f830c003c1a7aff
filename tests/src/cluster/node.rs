//! What runs the Pods where there is no kubelet? A small one of our own, which runs each container as a process of this machine.
//!
//! It takes every Pod that nobody scheduled, gives each an address of its own below 127.0.0.0/8, and does for it what a kubelet
//! does: volumes that follow their Secrets, variables, probes, restarts, status, and an end with grace. A container sees the
//! files of this machine, writes into memory and into its volumes, and has its volumes where it mounts them.
//!
//! Deliberately not here: images, users, limits and everything else of `securityContext` (all run as the test does), init
//! containers, startup probes and probes other than `httpGet`, `exec`, `kubectl logs`, hooks other than a `preStop` that sleeps,
//! node selectors and affinities. It needs root, for the containers' mounts, and containers share this machine's ports: they
//! have to listen on the Pod's address, not on all.

mod container;
mod environment;
mod image;
mod object;
mod pod;
mod probe;
mod status;
mod swap;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Config, ResourceExt};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use self::image::Images;
use self::object::answer;
use self::pod::Life;

/// How often the API server is asked for news.
const PULSE: Duration = Duration::from_millis(150);

/// The node's name in the cluster.
const NAME: &str = "node";

/// A running node, which ends with all of its Pods when it is dropped.
pub struct Node {
    here: Arc<Here>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What stories and the node's own thread both know.
struct Here {
    folder: PathBuf,
    api_server: (String, String),
    images: Mutex<Images>,
    still: Mutex<BTreeSet<String>>,
    lives: Mutex<BTreeMap<(String, String), Arc<Life>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    /// Starts it, with a thread of its own, so that the Pods outlive the story that asked first.
    pub(super) fn start(config: Config, folder: &Path) -> Self {
        let address = &config.cluster_url;
        let here = Arc::new(Here {
            folder: folder.to_owned(),
            api_server: (
                address.host().unwrap_or_default().to_owned(),
                address.port_u16().unwrap_or(443).to_string(),
            ),
            images: Mutex::default(),
            still: Mutex::default(),
            lives: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let known = Arc::clone(&here);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let client = Client::try_from(config).expect("the configuration is well-formed");
                tokio::select! {
                    () = run(&client, &known) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            here,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Makes every image whose repository ends in `name` stand for a program of this machine, with its first arguments.
    /// `authd` and `authd-operator` stand for what was built.
    pub fn image(&self, name: &str, command: &[&str]) {
        lock(&self.here.images).insert(name, command);
    }

    /// Leaves the volumes of a namespace's Pods as they are, whatever becomes of their Secrets.
    pub fn pause_volumes(&self, namespace: &str) {
        lock(&self.here.still).insert(namespace.to_owned());
    }

    /// Ends the pause.
    pub fn resume_volumes(&self, namespace: &str) {
        lock(&self.here.still).remove(namespace);
    }

    /// Sends a signal to all containers of a Pod.
    ///
    /// # Panics
    /// It does not run here.
    pub fn signal(&self, namespace: &str, pod: &str, signal: Signal) {
        self.life(namespace, pod).signal(signal);
    }

    /// What the containers of a Pod wrote so far, those that ended included.
    ///
    /// # Panics
    /// It does not run here.
    #[must_use]
    pub fn log(&self, namespace: &str, pod: &str) -> Vec<String> {
        self.life(namespace, pod).log()
    }

    /// The process ids of a Pod's containers that run.
    ///
    /// # Panics
    /// It does not run here.
    #[must_use]
    pub fn process_ids(&self, namespace: &str, pod: &str) -> Vec<u32> {
        self.life(namespace, pod).process_ids()
    }

    /// Where on this machine the files of a Pod's volume are.
    ///
    /// # Panics
    /// It does not run here, or has no such volume.
    #[must_use]
    pub fn volume(&self, namespace: &str, pod: &str, volume: &str) -> PathBuf {
        let found = self.life(namespace, pod).volume(volume);
        found.unwrap_or_else(|| panic!("{namespace}/{pod} has no volume `{volume}`"))
    }

    fn life(&self, namespace: &str, pod: &str) -> Arc<Life> {
        let lives = lock(&self.here.lives);
        let life = lives.get(&(namespace.to_owned(), pod.to_owned()));
        Arc::clone(life.unwrap_or_else(|| panic!("{namespace}/{pod} does not run here, but {:?} do", lives.keys())))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        lock(&self.here.lives).clear();
    }
}

/// Tells the cluster that there is a node, and runs what is to run on it, for ever.
async fn run(client: &Client, here: &Arc<Here>) {
    let mut pulse = tokio::time::interval(PULSE);
    let mut news: BTreeMap<String, watch::Sender<Option<Pod>>> = BTreeMap::new();
    let mut lives = JoinSet::new();
    let pods = Api::<Pod>::all(client.clone());
    let mut is_registered = false;
    loop {
        pulse.tick().await;
        while lives.try_join_next().is_some() {}
        is_registered = is_registered || register(client).await.is_ok();
        // Without an answer everything goes on as it does.
        let Ok(list) = answer(pods.list(&ListParams::default().match_any())).await else {
            continue;
        };
        let (mine, unbound): (Vec<Pod>, Vec<Pod>) = list.items.into_iter().partition(is_mine);
        for pod in unbound.iter().filter(|pod| is_free(pod)) {
            // Somebody may have been quicker; then the next list says so.
            let _ = bind(client, pod).await;
        }
        let listed: BTreeSet<String> = mine.iter().filter_map(ResourceExt::uid).collect();
        news.retain(|uid, news| {
            let stays = listed.contains(uid);
            if !stays {
                news.send_replace(None);
            }
            stays
        });
        for pod in mine {
            let Some(uid) = pod.uid() else { continue };
            match news.get(&uid) {
                Some(news) => drop(news.send_replace(Some(pod))),
                None => {
                    let life = Arc::new(Life::new(client.clone(), Arc::clone(here), pod.clone()));
                    let (sender, receiver) = watch::channel(Some(pod));
                    news.insert(uid, sender);
                    lives.spawn(life.live(receiver));
                }
            }
        }
    }
}

fn is_mine(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(NAME)
}

/// Whether nobody has the Pod, and it may be had.
fn is_free(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let is_gated = spec
        .and_then(|spec| spec.scheduling_gates.as_ref())
        .is_some_and(|gates| !gates.is_empty());
    spec.is_some_and(|spec| spec.node_name.is_none()) && !is_gated && pod.metadata.deletion_timestamp.is_none()
}

async fn bind(client: &Client, pod: &Pod) -> Result<Value, kube::Error> {
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": pod.name_any(), "uid": pod.uid()},
        "target": {"apiVersion": "v1", "kind": "Node", "name": NAME},
    });
    let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    answer(api.create_subresource("binding", &pod.name_any(), &PostParams::default(), &binding)).await
}

async fn register(client: &Client) -> Result<(), kube::Error> {
    let api = Api::<NodeObject>::all(client.clone());
    let object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}});
    let params = PatchParams::apply("tests").force();
    answer(api.patch(NAME, &params, &Patch::Apply(&object))).await?;
    let status = json!({"status": {
        "capacity": {"cpu": "64", "memory": "256Gi", "pods": "1000"},
        "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "1000"},
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "TestsRun"}],
    }});
    answer(api.patch_status(NAME, &PatchParams::default(), &Patch::Merge(&status))).await?;
    Ok(())
}

/// Deletes a Pod whose containers have ended. One that is gone, or that another has the name of, is as good.
async fn delete(client: &Client, pod: &Pod) -> Result<(), kube::Error> {
    let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let mut params = DeleteParams::default().grace_period(0);
    params.preconditions = Some(kube::api::Preconditions {
        uid: pod.uid(),
        resource_version: None,
    });
    match answer(api.delete(&pod.name_any(), &params)).await {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        other => other.map(|_| ()),
    }
}
