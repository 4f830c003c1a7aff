//! Three masters, each with a third of the slots, and a replica of each.

use super::{PASSWORD, Redis, Speaks};
use crate::{port, wait};

const MASTERS: usize = 3;
/// A key in the slot of all keys of authd.
const KEY: &str = "authd:{limits}:story";

/// The nodes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
    speaks: Speaks,
}

impl Cluster {
    /// Starts all nodes, and waits until they are one cluster.
    pub async fn start(speaks: Speaks) -> Self {
        let between = match speaks {
            Speaks::Plainly => "no",
            Speaks::Tls(_) => "yes",
        };
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..2 * MASTERS {
            let bus = port::free();
            let settings = format!(
                "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port {bus}\ncluster-node-timeout 1200\n\
                 cluster-replica-validity-factor 0\ntls-cluster {between}"
            );
            nodes.push(Redis::with(&speaks, &[&settings]).await);
            buses.push(bus);
        }
        let cluster = Self { nodes, speaks };
        for (number, (node, range)) in cluster
            .nodes
            .iter()
            .zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")])
            .enumerate()
        {
            node.done(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
            node.done(&["CLUSTER", "ADDSLOTSRANGE", range.0, range.1]);
        }
        let first = cluster.nodes.first().expect("there are nodes");
        for (node, bus) in cluster.nodes.iter().zip(&buses).skip(1) {
            first.done(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), &bus.to_string()]);
        }
        cluster
            .all("nodes know each other", &["CLUSTER", "INFO"], "cluster_known_nodes:6")
            .await;
        for (master, replica) in cluster.nodes.iter().zip(cluster.nodes.iter().skip(MASTERS)) {
            replica.done(&["CLUSTER", "REPLICATE", &master.says(&["CLUSTER", "MYID"])]);
        }
        cluster
            .all("the cluster is whole", &["CLUSTER", "INFO"], "cluster_state:ok")
            .await;
        for replica in cluster.nodes.iter().skip(MASTERS) {
            replica
                .comes(
                    "a replica has what its master has",
                    &["INFO", "replication"],
                    "master_link_status:up",
                )
                .await;
        }
        cluster
    }

    async fn all(&self, what: &str, command: &[&str], expected: &str) {
        for node in &self.nodes {
            node.comes(what, command, expected).await;
        }
    }

    /// Where authd finds some of the nodes, as its user: the first master, and the replicas.
    #[must_use]
    pub fn url(&self) -> String {
        let named = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(number, _)| *number == 0 || *number >= MASTERS);
        let named: Vec<String> = named.map(|(_, node)| format!("127.0.0.1:{}", node.port)).collect();
        format!(
            "{}://authd:{PASSWORD}@{}",
            self.speaks.scheme("redis+cluster"),
            named.join(",")
        )
    }

    /// The node that takes what authd writes, if there is one.
    #[must_use]
    pub fn owner(&self) -> Option<&Redis> {
        self.nodes
            .iter()
            .find(|node| node.says(&["SET", KEY, "", "PX", "1"]) == "OK")
    }

    /// `kill -9` of the node that takes what authd writes.
    ///
    /// # Panics
    /// There is none.
    pub fn kill_owner(&mut self) {
        let port = self.owner().expect("the cluster is whole").port;
        for node in &mut self.nodes {
            if node.port == port {
                node.kill();
            }
        }
    }

    /// Waits until a node takes what authd writes.
    pub async fn owned(&self) {
        wait::until("another node takes the place of the one that is gone", || {
            let owner = self.owner().map(|node| node.port);
            async move { owner.map(|_| ()).ok_or_else(|| "no node".to_owned()) }
        })
        .await;
    }
}

impl Redis {
    fn done(&self, command: &[&str]) {
        assert_eq!(self.says(command), "OK", "{command:?}");
    }

    async fn comes(&self, what: &str, command: &[&str], expected: &str) {
        wait::until(what, || {
            let said = self.says(command);
            async move { said.contains(expected).then_some(()).ok_or(said) }
        })
        .await;
    }
}
