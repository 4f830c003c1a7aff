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
    let audit = Audit::start(Lines(sender)).unwrap();
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
        let audit = Audit::start_with(Stuck(held), 10).unwrap();
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
    let audit = Audit::start(Full).unwrap();
    for _ in 0..10 {
        audit.record(event());
    }
    assert!(audit.flush(SOON));
}
