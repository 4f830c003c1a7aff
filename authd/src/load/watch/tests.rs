use std::{fs, os::unix::fs::symlink};

use tokio::{sync::mpsc::Receiver, task::JoinHandle};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

fn policy(name: &str) -> String {
    format!(
        "apiVersion: authd.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: {name}}}\nspec:\n  hosts: [{name}.example.com]\n  rules: [{{allow: {{anyone: true}}}}]\n"
    )
}

struct Watched {
    deliveries: Receiver<Loaded>,
    running: JoinHandle<()>,
}

impl Watched {
    /// Watches `dir` without looking by itself, so that only notifications count.
    fn begin(dir: &Path) -> Self {
        let seen = source::read(dir).map(|sources| sources.digest).unwrap_or_default();
        let timing = Timing {
            poll: Duration::from_secs(3600),
            ..Timing::default()
        };
        let watch = Watch::begin(dir, seen, timing).unwrap();
        let (to, deliveries) = mpsc::channel(4);
        let running = task::spawn_local(watch.run(dir.to_owned(), to));
        Self { deliveries, running }
    }

    /// Waits until a folder with just these policies is delivered.
    async fn delivers(&mut self, expected: &[&str]) {
        let mut last = Vec::new();
        let found = timeout(DEADLINE, async {
            while let Some(loaded) = self.deliveries.recv().await {
                let policies = loaded.resources.access_policies.iter();
                last = policies.map(|p| p.metadata.name.clone().unwrap_or_default()).collect();
                if last == expected {
                    return true;
                }
            }
            false
        });
        let found = found.await;
        assert_eq!(found, Ok(true), "expected {expected:?}, last saw {last:?}");
    }
}

/// Runs a story on a thread of its own runtime.
fn story<F: Future<Output = ()>>(tell: impl FnOnce(PathBuf) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("resources");
    fs::create_dir(&folder).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = task::LocalSet::new();
    local.block_on(&runtime, tell(folder));
}

#[test]
fn changed_new_and_deleted_files_are_delivered() {
    story(async |dir: PathBuf| {
        fs::write(dir.join("a.yaml"), policy("a")).unwrap();
        let mut watched = Watched::begin(&dir);
        fs::write(dir.join("b.yaml"), policy("b")).unwrap();
        watched.delivers(&["a", "b"]).await;
        fs::write(dir.join("a.yaml"), policy("c")).unwrap();
        watched.delivers(&["c", "b"]).await;
        fs::remove_file(dir.join("a.yaml")).unwrap();
        watched.delivers(&["b"]).await;
    });
}

#[test]
fn files_in_a_new_sub_folder_are_delivered() {
    story(async |dir: PathBuf| {
        fs::write(dir.join("a.yaml"), policy("a")).unwrap();
        let mut watched = Watched::begin(&dir);
        fs::create_dir(dir.join("team")).unwrap();
        fs::write(dir.join("team/b.yaml"), policy("b")).unwrap();
        watched.delivers(&["a", "b"]).await;
        fs::write(dir.join("team/b.yaml"), policy("c")).unwrap();
        watched.delivers(&["a", "c"]).await;
    });
}

#[test]
fn a_replaced_mount_is_delivered() {
    story(async |dir: PathBuf| {
        let mount = |version: &str, name: &str| {
            fs::create_dir(dir.join(version)).unwrap();
            fs::write(dir.join(version).join("p.yaml"), policy(name)).unwrap();
            symlink(version, dir.join("..data_tmp")).unwrap();
            fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
        };
        mount("..1", "a");
        symlink("..data/p.yaml", dir.join("p.yaml")).unwrap();
        let mut watched = Watched::begin(&dir);
        mount("..2", "b");
        fs::remove_dir_all(dir.join("..1")).unwrap();
        watched.delivers(&["b"]).await;
        mount("..3", "c");
        watched.delivers(&["c"]).await;
    });
}

#[test]
fn a_folder_that_vanishes_or_empties_keeps_what_it_held_until_it_is_back() {
    story(async |dir: PathBuf| {
        fs::write(dir.join("a.yaml"), policy("a")).unwrap();
        let mut watched = Watched::begin(&dir);
        let away = dir.with_file_name("away");
        fs::rename(&dir, &away).unwrap();
        assert!(matches!(look(&dir, [0; 32]), Seen::Gone(_)));
        fs::create_dir(&dir).unwrap();
        assert!(matches!(look(&dir, [0; 32]), Seen::Gone(_)));
        fs::write(dir.join("b.yaml"), policy("b")).unwrap();
        watched.delivers(&["b"]).await;
        fs::write(dir.join("b.yaml"), policy("c")).unwrap();
        watched.delivers(&["c"]).await;
        assert!(watched.deliveries.is_empty(), "an empty folder was delivered");
    });
}

#[test]
fn what_changed_between_reading_and_watching_is_delivered() {
    story(async |dir: PathBuf| {
        fs::write(dir.join("a.yaml"), policy("a")).unwrap();
        let watch = Watch::begin(&dir, [7; 32], Timing::default()).unwrap();
        let (to, deliveries) = mpsc::channel(4);
        let running = task::spawn_local(watch.run(dir, to));
        Watched { deliveries, running }.delivers(&["a"]).await;
    });
}

#[test]
fn the_watching_ends_with_its_receiver() {
    story(async |dir: PathBuf| {
        fs::write(dir.join("a.yaml"), policy("a")).unwrap();
        let Watched { deliveries, running } = Watched::begin(&dir);
        drop(deliveries);
        timeout(DEADLINE, running).await.unwrap().unwrap();
    });
}
