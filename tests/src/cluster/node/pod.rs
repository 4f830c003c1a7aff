//! The life of one Pod on the node: volumes, containers, what is said of them, and the end.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container as Spec, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, interval};

use super::container::{Container, State};
use super::environment::{Variables, variables};
use super::object::answer;
use super::probe::Probing;
use super::status::{is_ready, now, status};
use super::volume::{Volumes, place};
use super::{Here, delete, lock};

/// How often containers are looked at.
const PULSE: Duration = Duration::from_millis(100);

/// How often volumes are brought up to date. A kubelet takes up to a minute.
const REFRESH: Duration = Duration::from_secs(1);

/// A Pod that is run.
pub(super) struct Life {
    client: Client,
    here: Arc<Here>,
    pod: Pod,
    address: Ipv4Addr,
    folder: PathBuf,
    is_mounted: AtomicBool,
    containers: Mutex<Vec<Container>>,
    begun: Timestamp,
}

/// An address of this machine's that no Pod of this process has had.
fn address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let part = |number: u32| u8::try_from(1 + number % 250).unwrap_or(1);
    Ipv4Addr::new(127, part(std::process::id()), part(number / 250), part(number))
}

impl Life {
    /// Of a Pod that is bound to the node. Nothing happens before it lives.
    pub(super) fn new(client: Client, here: Arc<Here>, pod: Pod) -> Self {
        let address = address();
        let folder = here.folder.join("pods").join(pod.uid().unwrap_or_default());
        let specs = pod.spec.iter().flat_map(|spec| spec.containers.clone());
        let containers = specs.map(|spec| Container::new(spec, address, &folder)).collect();
        Self {
            client,
            here,
            pod,
            address,
            folder,
            is_mounted: AtomicBool::new(false),
            containers: Mutex::new(containers),
            begun: now(),
        }
    }

    fn key(&self) -> (String, String) {
        (self.pod.namespace().unwrap_or_default(), self.pod.name_any())
    }

    /// Runs the Pod to its end. The news are what the API server has; nothing once it has the Pod no more.
    pub(super) async fn live(self: Arc<Self>, mut news: watch::Receiver<Option<Pod>>) {
        lock(&self.here.lives).insert(self.key(), Arc::clone(&self));
        let is_over = |pod: &Option<Pod>| pod.as_ref().is_none_or(|pod| pod.metadata.deletion_timestamp.is_some());
        tokio::select! {
            _ = async { futures::join!(self.keep_volumes(), self.keep_running(), self.keep_told()) } => {}
            _ = news.wait_for(is_over) => {}
        }
        self.end(&news).await;
        let mut lives = lock(&self.here.lives);
        if lives.get(&self.key()).is_some_and(|life| Arc::ptr_eq(life, &self)) {
            lives.remove(&self.key());
        }
        drop(lives);
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Follows what the volumes are made of; what the API server does not say stays.
    async fn keep_volumes(&self) {
        let mut volumes = Volumes::new(self.client.clone(), self.address, &self.folder);
        let (namespace, _) = self.key();
        let (mut first, mut later) = (interval(PULSE), interval(REFRESH));
        loop {
            let is_mounted = self.is_mounted.load(Ordering::Relaxed);
            if !is_mounted || !lock(&self.here.still).contains(&namespace) {
                match volumes.refresh(&self.pod).await {
                    Ok(()) => self.is_mounted.store(true, Ordering::Relaxed),
                    Err(why) if !is_mounted => self.wait(&why),
                    Err(_) => {}
                }
            }
            let pulse = if is_mounted { &mut later } else { &mut first };
            pulse.tick().await;
        }
    }

    fn wait(&self, why: &str) {
        for container in lock(&self.containers).iter_mut() {
            container.wait("ContainerCreating", why.to_owned());
        }
    }

    /// Starts what is not running, and asks what is.
    async fn keep_running(&self) {
        let policy = self.pod.spec.as_ref().and_then(|spec| spec.restart_policy.clone());
        let policy = policy.unwrap_or_default();
        let mut pulse = interval(PULSE);
        loop {
            pulse.tick().await;
            let due: Vec<usize> = {
                let mut containers = lock(&self.containers);
                containers.iter_mut().for_each(|container| container.look(&policy));
                let due = containers
                    .iter()
                    .enumerate()
                    .filter(|(_, container)| container.is_due());
                due.map(|(index, _)| index).collect()
            };
            if self.is_mounted.load(Ordering::Relaxed) {
                for index in due {
                    self.start(index).await;
                }
            }
            self.probe().await;
        }
    }

    async fn start(&self, index: usize) {
        let Some(spec) = lock(&self.containers)
            .get(index)
            .map(|container| container.spec.clone())
        else {
            return;
        };
        let prepared = self.prepare(&spec).await;
        if let Some(container) = lock(&self.containers).get_mut(index) {
            match prepared {
                Ok((words, variables)) => container.start(&self.pod, &words, &variables),
                Err((reason, why)) => container.wait(reason, why),
            }
        }
    }

    /// The words and the variables that a container is started with.
    async fn prepare(&self, spec: &Spec) -> Result<(Vec<String>, Variables), (&'static str, String)> {
        let image = spec.image.as_deref().unwrap_or_default();
        let command = spec.command.as_deref().unwrap_or_default();
        let arguments = spec.args.as_deref().unwrap_or_default();
        let words = lock(&self.here.images)
            .command(image, command, arguments)
            .map_err(|why| ("ErrImagePull", why))?;
        let (host, port) = &self.here.api_server;
        let every = [
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOSTNAME", &self.pod.name_any()),
            ("KUBERNETES_SERVICE_HOST", host),
            ("KUBERNETES_SERVICE_PORT", port),
            ("KUBERNETES_SERVICE_PORT_HTTPS", port),
        ];
        let every = every
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        let variables = variables(&self.client, &self.pod, self.address, spec, every).await;
        Ok((words, variables.map_err(|why| ("CreateContainerConfigError", why))?))
    }

    /// Asks the containers whose time it is.
    async fn probe(&self) {
        let due = |probe: &Option<Probing>| probe.clone().filter(Probing::is_due);
        let count = lock(&self.containers).len();
        for index in 0..count {
            let probes = match lock(&self.containers).get(index) {
                Some(container) if matches!(container.state, State::Running(_)) => {
                    (due(&container.readiness), due(&container.liveness))
                }
                _ => continue,
            };
            if let (Some(mut readiness), _) = probes {
                let found = readiness.ask().await;
                if let Some(container) = lock(&self.containers).get_mut(index) {
                    container.found_ready(readiness, found);
                }
            }
            if let (_, Some(mut liveness)) = probes {
                let found = liveness.ask().await;
                if let Some(container) = lock(&self.containers).get_mut(index) {
                    container.found_alive(liveness, found);
                }
            }
        }
    }

    /// Tells the API server whatever changes, as soon as it listens.
    async fn keep_told(&self) {
        let (namespace, name) = self.key();
        let api = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        let mut pulse = interval(PULSE);
        let (mut was_ready, mut since) = (false, self.begun);
        let mut told: Option<Value> = None;
        loop {
            pulse.tick().await;
            let status = {
                let containers = lock(&self.containers);
                if is_ready(&containers) != was_ready {
                    (was_ready, since) = (!was_ready, now());
                }
                status(&containers, self.address, self.begun, since)
            };
            if told.as_ref() == Some(&status) {
                continue;
            }
            // The uid, lest another of the same name be told of.
            let patch = json!({"metadata": {"uid": self.pod.uid()}, "status": status});
            let said = answer(api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch))).await;
            if said.is_ok() {
                told = Some(status);
            }
        }
    }

    /// Asks the containers to end, waits as long as the Pod says, ends them, and says that the Pod is gone.
    async fn end(&self, news: &watch::Receiver<Option<Pod>>) {
        let grace = |pod: &Pod| pod.metadata.deletion_grace_period_seconds.unwrap_or(30);
        let left = |begun: Instant| {
            let pod = news.borrow();
            let grace = pod.as_ref().map_or(0, grace);
            let until = begun + Duration::from_secs(u64::try_from(grace).unwrap_or_default());
            Instant::now() < until
        };
        let mut pulse = interval(PULSE);
        let begun = Instant::now();
        while begun.elapsed() < self.pause() && left(begun) {
            pulse.tick().await;
        }
        self.signal(Signal::TERM);
        while lock(&self.containers).iter_mut().any(Container::runs) && left(begun) {
            pulse.tick().await;
        }
        lock(&self.containers).iter_mut().for_each(Container::end);
        while news.borrow().is_some() && delete(&self.client, &self.pod).await.is_err() {
            pulse.tick().await;
        }
    }

    /// How long the containers' `preStop` hooks sleep.
    fn pause(&self) -> Duration {
        let containers = self.pod.spec.iter().flat_map(|spec| &spec.containers);
        let hooks = containers.filter_map(|container| container.lifecycle.as_ref()?.pre_stop.as_ref()?.sleep.as_ref());
        let longest = hooks.filter_map(|sleep| u64::try_from(sleep.seconds).ok()).max();
        Duration::from_secs(longest.unwrap_or_default())
    }

    pub(super) fn signal(&self, signal: Signal) {
        lock(&self.containers)
            .iter_mut()
            .for_each(|container| container.signal(signal));
    }

    pub(super) fn log(&self) -> Vec<String> {
        lock(&self.containers).iter().flat_map(Container::log).collect()
    }

    pub(super) fn process_ids(&self) -> Vec<u32> {
        lock(&self.containers).iter().filter_map(Container::id).collect()
    }

    pub(super) fn volume(&self, name: &str) -> Option<PathBuf> {
        let mut volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let volume = volumes.find(|volume| volume.name == name)?;
        Some(place(&self.folder, &self.pod, volume))
    }
}
