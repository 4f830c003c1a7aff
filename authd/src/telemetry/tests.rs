use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;

#[test]
fn every_metric_is_named_by_the_rule_and_described() {
    let mut names = BTreeSet::new();
    for Metric {
        name,
        kind,
        description,
        ..
    } in METRICS
    {
        assert!(name.starts_with("authd_"), "{name}");
        assert!(names.insert(name), "{name} twice");
        assert!(!description.is_empty() && !description.ends_with('.'), "{name}");
        let has_unit = match kind {
            MetricKind::Counter => name.ends_with("_total"),
            MetricKind::Gauge => !name.ends_with("_total"),
            MetricKind::Histogram => name.ends_with("_seconds"),
        };
        assert!(has_unit, "{name}");
    }
}

#[test]
fn the_code_counts_nothing_that_is_not_listed() {
    fn scan(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                scan(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for call in ["counter!(", "gauge!(", "histogram!("] {
                    let names = text
                        .split(call)
                        .skip(1)
                        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
                    found.extend(names.map(str::to_owned));
                }
            }
        }
    }
    let mut found = BTreeSet::new();
    scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(
        found.contains("authd_audit_dropped_total"),
        "the scan finds something: {found:?}"
    );
    found.retain(|name| METRICS.iter().all(|metric| metric.name != name));
    assert_eq!(found, BTreeSet::new());
}

#[test]
fn what_is_counted_is_rendered() {
    let recorder = Metrics::recorder();
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("authd_tokens_refused_total", "reason" => "Expired").increment(2);
        metrics::histogram!("authd_check_seconds").record(0.000_05);
    });
    let text = Metrics {
        handle: recorder.handle(),
    }
    .render();
    for line in [
        "# HELP authd_tokens_refused_total Session tokens that were refused",
        "# TYPE authd_tokens_refused_total counter",
        "authd_tokens_refused_total{reason=\"Expired\"} 2",
        "authd_check_seconds_bucket{le=\"0.000025\"} 0",
        "authd_check_seconds_bucket{le=\"0.0001\"} 1",
        "authd_audit_dropped_total 0",
        "authd_hashing_queue_length 0",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}\n{text}");
    }
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn l06_logs_are_one_line_of_json_each_and_follow_the_filter() {
    let memory = Memory::default();
    let to = memory.clone();
    let subscriber = subscriber("info", move || to.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(path = "/a\nb\u{1b}[2J", "asked");
        tracing::debug!("left out");
    });
    let text = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&line["message"], &line["path"]),
        (&"asked".into(), &"/a\nb\u{1b}[2J".into())
    );
}

#[test]
fn a_filter_that_cannot_be_read_is_told() {
    let error = subscriber("authd=loudly", std::io::stderr).err().unwrap().to_string();
    assert!(
        error.starts_with("the log filter `authd=loudly` cannot be read: "),
        "{error}"
    );
}

#[test]
fn an_error_is_logged_with_what_it_came_of_once() {
    #[derive(Debug, thiserror::Error)]
    enum Fault {
        #[error("the disk is full")]
        Disk,
        #[error("not written")]
        Writing(#[source] Box<Fault>),
        #[error("not saved: {0}")]
        Saving(#[source] Box<Fault>),
    }
    let writing = Fault::Writing(Box::new(Fault::Disk));
    assert_eq!(with_causes(&writing), "not written: the disk is full");
    let saving = Fault::Saving(Box::new(writing));
    assert_eq!(with_causes(&saving), "not saved: not written: the disk is full");
}
