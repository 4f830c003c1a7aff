//! A master with a replica, and three Sentinels that make the replica the master once the master is away.

use super::{ADMINISTRATOR, Kind, PASSWORD, Redis, Speaks};
use crate::wait;

/// What Sentinels call the master.
const NAME: &str = "main";

/// Servers and those who watch them.
#[derive(Debug)]
pub struct Sentinels {
    servers: Vec<Redis>,
    sentinels: Vec<Redis>,
    speaks: Speaks,
}

impl Sentinels {
    /// Starts all of them, and waits until they know each other.
    pub async fn start(speaks: Speaks) -> Self {
        let master = Redis::with(&speaks, &[]).await;
        let of = format!("replicaof 127.0.0.1 {}", master.port);
        let replica = Redis::with(&speaks, &[&of]).await;
        wait::until("the replica has what the master has", || {
            let said = replica.says(&["INFO", "replication"]);
            async move { said.contains("master_link_status:up").then_some(()).ok_or(said) }
        })
        .await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let watched = format!(
                "sentinel monitor {NAME} 127.0.0.1 {} 2\nsentinel auth-user {NAME} default\n\
                 sentinel auth-pass {NAME} {ADMINISTRATOR}\nsentinel down-after-milliseconds {NAME} 600\n\
                 sentinel failover-timeout {NAME} 3000\n",
                master.port
            );
            sentinels.push(Redis::of(Kind::Sentinel, &speaks, &watched).await);
        }
        let all = Self {
            servers: vec![master, replica],
            sentinels,
            speaks,
        };
        for sentinel in &all.sentinels {
            wait::until("Sentinels know each other and the replica", || {
                let said = sentinel.says(&["SENTINEL", "MASTER", NAME]).replace('\n', " ");
                let knows = said.contains("num-other-sentinels 2") && said.contains("num-slaves 1");
                async move { knows.then_some(()).ok_or(said) }
            })
            .await;
        }
        all
    }

    /// Where authd finds the master, as its user.
    #[must_use]
    pub fn url(&self) -> String {
        let sentinels: Vec<String> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect();
        format!(
            "{}://authd:{PASSWORD}@{}/{NAME}",
            self.speaks.scheme("redis+sentinel"),
            sentinels.join(",")
        )
    }

    /// The master.
    ///
    /// # Panics
    /// There is none of ours.
    #[must_use]
    pub fn master(&self) -> &Redis {
        let port = self.named();
        let found = self.servers.iter().find(|server| server.port.to_string() == port);
        found.expect("Sentinels name one of the servers")
    }

    /// `kill -9` of the master.
    pub fn kill_master(&mut self) {
        let port = self.named();
        for server in &mut self.servers {
            if server.port.to_string() == port {
                server.kill();
            }
        }
    }

    /// The port of the master, as the first Sentinel knows it.
    fn named(&self) -> String {
        let said = self
            .sentinels
            .first()
            .map(|sentinel| sentinel.says(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]));
        said.and_then(|said| said.lines().last().map(str::to_owned))
            .unwrap_or_default()
    }

    /// Waits until another master was made than the one at this port.
    pub async fn another_than(&self, port: u16) {
        wait::until("Sentinels make another server the master", || {
            let named = self.named();
            async move { if named == port.to_string() { Err(named) } else { Ok(()) } }
        })
        .await;
    }
}
