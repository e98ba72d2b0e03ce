//! Whatever is logged: one line each, nothing in it that anything would obey; floods, and paper that runs out.

use super::*;
use proptest::prelude::*;
use std::io::ErrorKind;

fn stage(format: LogFormat) -> (Lines, Receiver<Job>) {
    let (quill, jobs) = sync_channel(QUEUE);
    (Lines::new(format, false, quill), jobs)
}

/// The lines of what this logs.
fn said(format: LogFormat, log: impl FnOnce()) -> Vec<String> {
    let (lines, jobs) = stage(format);
    tracing::subscriber::with_default(Registry::default().with(lines), log);
    jobs.try_iter().filter_map(|j| if let Job::Line(line) = j { Some(line) } else { None }).collect()
}

fn assert_one_line(lines: &[String]) {
    assert_eq!(lines.len(), 1);
    let (line, end) = lines[0].split_at(lines[0].len() - 1);
    assert_eq!(end, "\n");
    assert!(line.bytes().all(|b| b >= 0x20 && b != 0x7f), "{line:?}");
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}')
    };
    assert!(!line.contains(obeyed), "{line:?}");
}

/// Text as somebody would write who means harm, and any other.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        Just("\n".to_owned()),
        Just("\r\n2026-01-01T00:00:00Z ERROR forged: x".to_owned()),
        Just("\x1b[2J\x1b]0;t\x07".to_owned()),
        Just("\u{202e}\u{2066}\u{85}\u{2028}\u{9b}31m".to_owned()),
        Just("\",\"level\":\"error".to_owned()),
        Just("\u{0}\u{7f}\u{e0041}\\".to_owned()),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|v| v.concat())
}

proptest! {
    #[test]
    fn any_text_in_any_place_is_one_line(a in any_text(), b in any_text(), c in any_text()) {
        let log = || tracing::info!(name = %a, other = ?b, third = c.as_str(), n = 7, "joined {b} {}", a);
        assert_one_line(&said(LogFormat::Text, log));
        let json = said(LogFormat::Json, log);
        assert_one_line(&json);
        let v: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
        prop_assert_eq!(v["fields"]["name"].as_str(), Some(a.as_str()), "and nothing of it is lost");
        prop_assert_eq!(v["fields"]["third"].as_str(), Some(c.as_str()));
        prop_assert_eq!(&v["message"], &serde_json::Value::String(format!("joined {b} {a}")));
        prop_assert_eq!((v["level"].as_str(), v["fields"]["n"].as_u64()), (Some("info"), Some(7)));
    }
}

#[test]
fn a_field_cannot_forge_another() {
    let text = said(LogFormat::Text, || tracing::warn!(name = "x error=none", plain = "a-b.c", "here"));
    assert!(text[0].ends_with("server::log::tests: here name=\"x error=none\" plain=a-b.c\n"), "{}", text[0]);
}

#[test]
fn values_are_bounded() {
    let long = "é".repeat(1 << 20);
    let text = said(LogFormat::Json, || tracing::info!(a = %long, b = long.as_str(), c = ?long, "{long}"));
    assert!(text[0].len() < 40 << 10, "{}", text[0].len());
}

#[test]
fn errors_are_said_with_their_kind() {
    let e = io::Error::from(ErrorKind::AddrInUse);
    let json = said(LogFormat::Json, || tracing::warn!(error = %e, open = true, ratio = 0.5, "taken"));
    let v: serde_json::Value = serde_json::from_str(&json[0]).unwrap();
    assert_eq!(v["fields"], serde_json::json!({"error": e.to_string(), "open": true, "ratio": 0.5}));
}

static FLOODED: LogCounts = LogCounts::new();

#[test]
fn a_flood_leaves_room_for_others() {
    let (mut lines, jobs) = stage(LogFormat::Text);
    lines.counts = &FLOODED;
    let scribe = lines.scribe();
    tracing::subscriber::with_default(Registry::default().with(lines), || {
        for n in 0..10_000 {
            tracing::info!(n, "a peer is at it");
        }
        tracing::info!("something else");
    });
    let written = Mutex::new(Vec::new());
    scribe.write(&jobs, Shared(&written));
    let said = String::from_utf8(written.into_inner().unwrap()).unwrap();
    let flood = said.matches("a peer is at it n=").count();
    // It may have lasted longer than a second.
    assert!((20..1000).contains(&flood), "{flood}");
    assert!(said.contains("something else"));
    assert_eq!(FLOODED.suppressed.load(Ordering::Relaxed), 10_000 - flood as u64);
    assert_eq!(FLOODED.dropped.load(Ordering::Relaxed), 0);
}

#[test]
fn what_was_left_out_is_told_at_the_end() {
    let (lines, jobs) = stage(LogFormat::Text);
    let (scribe, quill) = (lines.scribe(), lines.quill.clone());
    tracing::subscriber::with_default(Registry::default().with(lines), || {
        (0..500).for_each(|_| tracing::warn!("again and again"));
    });
    let (done, wait) = sync_channel(1);
    assert!(quill.try_send(Job::Settle(done)).is_ok());
    drop(quill);
    let written = Mutex::new(Vec::new());
    scribe.write(&jobs, Shared(&written));
    assert!(wait.try_recv().is_ok(), "whoever waited was told");
    let said = String::from_utf8(written.into_inner().unwrap()).unwrap();
    let told: u64 =
        said.split("suppressed=").skip(1).map(|s| s.split(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    let shown = said.matches(": again and again\n").count() as u64;
    assert_eq!(told + shown, 500, "{said}");
    assert!(said.contains("like=\"again and again\""));
}

struct Shared<'a>(&'a Mutex<Vec<u8>>);

impl Write for Shared<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes so many bytes, then is full until it is emptied.
struct Full<'a>(&'a mut Vec<u8>, usize);

impl Write for Full<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(self.1.saturating_sub(self.0.len()));
        if n == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.0.write(&bytes[..n])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_torn_line_does_not_run_into_the_next() {
    let mut bytes = Vec::new();
    let mut paper = Paper { out: Full(&mut bytes, 8), torn: false };
    assert!(paper.put(b"first\n") && !paper.put(b"second\n") && !paper.put(b"third\n"));
    paper.out.1 = 100;
    assert!(paper.put(b"fourth\n"));
    assert_eq!(bytes, b"first\nse\nfourth\n");
}

static UNREAD: LogCounts = LogCounts::new();

#[test]
fn nobody_waits_for_a_reader() {
    let (mut lines, jobs) = stage(LogFormat::Text);
    lines.counts = &UNREAD;
    let limiter = Arc::clone(&lines.limiter);
    tracing::subscriber::with_default(Registry::default().with(lines), || {
        for _ in 0..QUEUE + 500 {
            // So that the queue fills, and not the limit.
            *lock(&limiter) = Limiter::default();
            tracing::info!("nobody reads this");
        }
    });
    assert_eq!(jobs.try_iter().count(), QUEUE);
    assert_eq!(UNREAD.dropped.load(Ordering::Relaxed), 500);
}
