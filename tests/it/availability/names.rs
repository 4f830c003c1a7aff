//! Names cannot be resolved.

use std::path::Path;
use std::process::Command;

use tests::authd::{Authd, program};
use tests::postgres::Postgres;
use tests::world::World;

use crate::postgres::{check, folder, sign_in_is_answered};

/// The program, in a place where names are what this file says, and nothing else answers for them.
fn where_names_are(hosts: &Path) -> Command {
    let script = "set -e; mount --bind \"$1\" /etc/hosts; mount --bind \"$2\" /etc/resolv.conf; shift 2; exec \"$@\"";
    let nobody = hosts.with_file_name("nobody");
    std::fs::write(&nobody, "").expect("the folder can be written");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command.arg(hosts).arg(nobody).arg(program());
    command
}

#[tokio::test]
async fn where_names_cannot_be_resolved_who_is_known_is_let_in() {
    let postgres = Postgres::start().await;
    let direct = postgres.database();
    let url = format!(
        "{}?sslmode=disable",
        direct.replace("127.0.0.1", "database.example.test")
    );
    let names = tempfile::tempdir().expect("a temporary folder can be made");
    let hosts = names.path().join("hosts");
    let known = "127.0.0.1 localhost database.example.test\n";
    std::fs::write(&hosts, known).expect("the folder can be written");
    let (folder, data) = (
        folder(&url),
        tempfile::tempdir().expect("a temporary folder can be made"),
    );
    let source = ("--resources", folder.path());
    let authd = Authd::start_command(where_names_are(&hosts), source, data.path(), &[]).await;
    let world = World { authd, folder, data };
    let ann = world.person("ann", "user").await;
    assert_eq!(check(&world, &ann.token).await, 200, "control");

    std::fs::write(&hosts, "127.0.0.1 localhost\n").expect("it is ours");
    sign_in_is_answered(&world, 200).await;
    postgres.break_off(direct.rsplit('/').next().unwrap_or_default());
    sign_in_is_answered(&world, 503).await;
    assert_eq!(check(&world, &ann.token).await, 200, "whoever is known is let in");

    std::fs::write(&hosts, known).expect("it is ours");
    sign_in_is_answered(&world, 200).await;
}
