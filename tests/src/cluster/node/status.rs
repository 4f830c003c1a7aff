//! What does the API server get to know about a Pod?

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::container::{Container, State};

/// The time, for what the API server is told.
#[expect(
    clippy::disallowed_methods,
    reason = "an object of a real cluster says when something really happened"
)]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

fn state(state: &State) -> Value {
    match state {
        State::Waiting(reason, message) => json!({"waiting": {"reason": reason, "message": message}}),
        State::Running(since) => json!({"running": {"startedAt": second(*since)}}),
        State::Ended(code) => ended(*code),
    }
}

fn ended(code: i32) -> Value {
    json!({"terminated": {"exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" }}})
}

fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn of_container(container: &Container) -> Value {
    json!({
        "name": container.spec.name,
        "image": container.spec.image,
        "imageID": "",
        "ready": container.is_ready,
        "started": matches!(container.state, State::Running(_)),
        "restartCount": container.restarts,
        "state": state(&container.state),
        "lastState": container.last_end.map_or(json!({}), ended),
    })
}

/// The phase that the containers amount to.
fn phase(containers: &[Container]) -> &'static str {
    let ended = containers.iter().filter_map(|container| match container.state {
        State::Ended(code) => Some(code),
        _ => None,
    });
    let ended: Vec<i32> = ended.collect();
    if ended.len() == containers.len() {
        return if ended.iter().all(|code| *code == 0) {
            "Succeeded"
        } else {
            "Failed"
        };
    }
    let began = |container: &Container| matches!(container.state, State::Running(_)) || container.last_end.is_some();
    if containers.iter().all(began) {
        "Running"
    } else {
        "Pending"
    }
}

/// Whether all containers are ready.
pub(super) fn is_ready(containers: &[Container]) -> bool {
    containers.iter().all(|container| container.is_ready)
}

/// A Pod's status: `begun` when the node took it, `since` when it became ready or unready.
pub(super) fn status(containers: &[Container], address: Ipv4Addr, begun: Timestamp, since: Timestamp) -> Value {
    let condition = |kind: &str, holds: bool, since: Timestamp| {
        let mut condition = json!({
            "type": kind,
            "status": if holds { "True" } else { "False" },
            "lastTransitionTime": second(since),
        });
        if !holds && let Some(fields) = condition.as_object_mut() {
            fields.insert("reason".to_owned(), json!("ContainersNotReady"));
        }
        condition
    };
    let ready = is_ready(containers);
    json!({
        "phase": phase(containers),
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": second(begun),
        "conditions": [
            condition("PodScheduled", true, begun),
            condition("Initialized", true, begun),
            condition("ContainersReady", ready, since),
            condition("Ready", ready, since),
        ],
        "containerStatuses": containers.iter().map(of_container).collect::<Vec<_>>(),
    })
}
