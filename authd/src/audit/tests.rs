use std::sync::mpsc;

use super::*;

/// A sink that passes on what it is given.
struct Lines(mpsc::Sender<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink that takes nothing until it is let go.
struct Stuck(mpsc::Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink whose disk is full.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn event() -> Event {
    Event::new(
        Timestamp::from_second(1_800_000_000).unwrap(),
        Kind::SignIn,
        Outcome::Success,
    )
}

fn line(event: &Event) -> String {
    String::from_utf8(event.line()).unwrap()
}

const SOON: Duration = Duration::from_secs(20);

#[test]
fn an_event_is_one_line_of_json() {
    let event = Event {
        reason: Some("BadSignature"),
        actor_id: Some(Uuid::nil()),
        actor_email: Some("alice@example.com".to_owned()),
        method: Some("password".to_owned()),
        client_address: Some("192.0.2.1".parse().unwrap()),
        target_host: Some("app.example.com".to_owned()),
        target_path: Some("/admin?token=CANARY#CANARY".to_owned()),
        ..event()
    };
    insta::assert_snapshot!(line(&event).trim_end(), @r#"{"time":"2027-01-15T08:00:00Z","event":"SignIn","outcome":"Success","reason":"BadSignature","actor.id":"00000000-0000-0000-0000-000000000000","actor.email":"alice@example.com","method":"password","client.address":"192.0.2.1","target.host":"app.example.com","target.path":"/admin"}"#);
}

#[test]
fn l06_a_value_cannot_break_its_line() {
    let values = [
        "a\nADMIN",
        "a\r\nb",
        "\u{1b}[2J",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{9b}31m",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{2066}",
        "\"}{\"",
        "\\",
        "päth",
        "日本",
    ];
    for value in values {
        let line = line(&Event {
            target_path: Some(value.to_owned()),
            ..event()
        });
        assert_eq!(line.lines().count(), 1, "L06: {line:?}");
        assert!(!line.trim_end().chars().any(char::is_control), "L06: {line:?}");
        assert!(
            !line.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}']),
            "L06: {line:?}"
        );
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["target.path"], value, "L06: nothing is lost");
    }
}

#[test]
fn long_values_are_cut() {
    for letter in ["a", "ä", "日", "\n"] {
        let line = line(&Event {
            method: Some(letter.repeat(100_000)),
            ..event()
        });
        assert!(line.len() < 2_500, "{}", line.len());
    }
}

#[test]
fn events_are_written_in_order() {
    let (sender, written) = mpsc::channel();
    let audit = Audit::start(Lines(sender), Keeping::Tried).unwrap();
    for n in 0..100 {
        audit.record(Event {
            request_id: Some(format!("request-{n}")),
            ..event()
        });
    }
    assert!(audit.flush(SOON));
    let text = String::from_utf8(written.try_iter().flatten().collect()).unwrap();
    let ids: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["request.id"].clone())
        .collect();
    assert_eq!(ids, (0..100).map(|n| format!("request-{n}")).collect::<Vec<_>>());
}

#[test]
fn l05_a_stuck_sink_never_holds_a_caller_up() {
    let (release, held) = mpsc::channel();
    let metrics = crate::telemetry::Metrics::recorder();
    metrics::with_local_recorder(&metrics, || {
        let audit = Audit::start_with(Stuck(held), Keeping::Tried, 10).unwrap();
        for _ in 0..10_000 {
            audit.record(event());
        }
        assert!(!audit.flush(Duration::ZERO), "nothing can be written yet");
        drop(release);
        assert!(audit.flush(SOON));
    });
    let text = metrics.handle().render();
    let dropped = text
        .lines()
        .find_map(|line| line.strip_prefix("authd_audit_dropped_total "))
        .unwrap();
    assert!(dropped.parse::<u32>().unwrap() >= 8_000, "L05: {text}");
}

#[test]
fn l04_a_full_disk_stops_nothing() {
    let audit = Audit::start(Full, Keeping::Tried).unwrap();
    for _ in 0..10 {
        audit.record(event());
    }
    assert!(audit.flush(SOON));
}

#[test]
fn l05_where_lines_are_required_a_stuck_sink_is_noticed_once_too_many_wait() {
    let (release, held) = mpsc::channel();
    let audit = Audit::start_with(Stuck(held), Keeping::Required, 10).unwrap();
    for _ in 0..100 {
        audit.record(event());
    }
    assert!(!audit.is_kept());
    drop(release);
    assert!(audit.flush(SOON), "all that waited are written");
    assert!(audit.is_kept());
}

/// A disk that is full after ten bytes, until it is cleared.
#[derive(Clone, Default)]
struct Small(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    written: Vec<u8>,
    is_cleared: bool,
}

impl Small {
    fn clear(&self) {
        self.0.lock().unwrap().is_cleared = true;
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().written.clone()).unwrap()
    }
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = self.0.lock().unwrap();
        if !disk.written.is_empty() && !disk.is_cleared {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let some = &bytes[..bytes.len().min(10)];
        disk.written.extend(some);
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn named(id: &str) -> Event {
    Event {
        request_id: Some(id.to_owned()),
        ..event()
    }
}

#[test]
fn l04_lines_that_are_required_wait_for_space_and_none_is_lost() {
    let disk = Small::default();
    let audit = Audit::start(disk.clone(), Keeping::Required).unwrap();
    assert!(audit.is_kept());
    audit.record(named("first"));
    assert!(!audit.flush(Duration::from_millis(100)), "there is no space");
    assert!(!audit.is_kept(), "so nothing else should be done");
    audit.record(named("second"));
    disk.clear();
    assert!(audit.flush(SOON));
    assert!(audit.is_kept());
    let text = disk.text();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[0]["request.id"] == "first" && lines[1]["request.id"] == "second",
        "{text}"
    );
}

#[test]
fn l04_a_line_that_was_torn_harms_no_other() {
    let disk = Small::default();
    let audit = Audit::start(disk.clone(), Keeping::Tried).unwrap();
    audit.record(named("torn"));
    assert!(audit.flush(SOON));
    assert!(audit.is_kept(), "nothing is required");
    disk.clear();
    audit.record(named("whole"));
    assert!(audit.flush(SOON));
    let text = disk.text();
    let (torn, whole) = text.split_once('\n').unwrap();
    assert_eq!(torn.len(), 10);
    let whole: serde_json::Value = serde_json::from_str(whole.trim_end()).unwrap();
    assert_eq!(whole["request.id"], "whole");
}
