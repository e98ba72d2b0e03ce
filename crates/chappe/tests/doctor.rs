//! `chappe doctor` by the built binary, on the machine as it is: ports that are held, certificates that are old.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::Folder;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

/// What the doctor finds, and how it ended.
fn findings(folder: &Folder, file: &str) -> (Vec<Value>, Option<i32>) {
    let output = folder.chappe(&format!("doctor --json --config {file}"), &[]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let bad = json["findings"].as_array().unwrap().iter().any(|f| f["verdict"] == "bad");
    assert_eq!((json["bad"].as_bool(), output.status.code()), (Some(bad), Some(i32::from(bad))));
    (json["findings"].as_array().unwrap().clone(), output.status.code())
}

#[track_caller]
fn is(findings: &[Value], item: &str, verdict: &str, says: &str) {
    let found = findings.iter().find(|f| f["item"].as_str().is_some_and(|i| i.starts_with(item)));
    let right = found.is_some_and(|f| f["verdict"] == verdict && f["says"].as_str().unwrap().contains(says));
    assert!(right, "{item} should be {verdict}, {says}: {found:?}");
}

/// A server that is ended when the test is over.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn ports_held_by_a_chappe_and_by_others() {
    let folder = Folder::new("doctor-ports");
    folder.write("serve.toml", "[[listener]]\naddress = '127.0.0.1:0'\n[admin]\naddress = 'off'\n");
    let child =
        folder.command("serve --config serve.toml").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut serving = Serving(child.unwrap());
    let mut banner = String::new();
    BufReader::new(serving.0.stdout.take().unwrap()).read_line(&mut banner).unwrap();
    let ours = banner
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .expect("a banner with an address");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let theirs = other.local_addr().unwrap();
    let text = format!(
        "[[listener]]\naddress = '{ours}'\n[[listener]]\naddress = '{theirs}'\n[[listener]]\naddress = 'unix:x.sock'\n\
         [admin]\naddress = '127.0.0.1:0'\n"
    );
    folder.write("c.toml", &text);
    let (findings, code) = findings(&folder, "c.toml");
    is(&findings, &format!("listener {ours}"), "good", "held by chappe (pid");
    is(&findings, &format!("listener {theirs}"), "bad", "taken by ");
    is(&findings, "listener unix:x.sock", "good", "can be written to");
    is(&findings, "admin", "good", "the system chooses");
    is(&findings, "configuration", "good", "c.toml is right");
    assert_eq!(code, Some(1));
    // Nothing is left behind.
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2);
}

/// Writes `NAME.pem` and `NAME.key`, valid until the beginning of a year.
fn certificate(folder: &Folder, name: &str, until: i32) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["chat.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
    folder.write(&format!("{name}.pem"), &params.self_signed(&key).unwrap().pem());
    folder.write(&format!("{name}.key"), &key.serialize_pem());
}

const TLS: &str =
    "[[listener]]\naddress = '127.0.0.1:0'\n[[listener.tls]]\ncert = 'CERT.pem'\nkey = 'KEY.key'\n";

#[test]
fn certificates_that_are_old_and_keys_of_others() {
    let folder = Folder::new("doctor-tls");
    certificate(&folder, "old", 2022);
    certificate(&folder, "new", 2099);
    for (file, cert, key) in
        [("old.toml", "old", "old"), ("new.toml", "new", "new"), ("mixed.toml", "new", "old")]
    {
        folder.write(file, &TLS.replace("CERT", cert).replace("KEY", key));
    }
    let (old, code) = findings(&folder, "old.toml");
    is(&old, "certificate old.pem", "bad", "expired");
    assert_eq!(code, Some(1));
    let (new, _) = findings(&folder, "new.toml");
    is(&new, "certificate new.pem", "better", "it vouches for itself");
    is(&new, "private key new.key", mode_of_new_files(), "its mode is");
    let (mixed, code) = findings(&folder, "mixed.toml");
    is(
        &mixed,
        "configuration",
        "bad",
        "mixed.toml:5:1: listener.tls.key: old.key: the key does not fit new.pem",
    );
    assert_eq!(code, Some(1));
    assert!(mixed.iter().all(|f| f["group"] != "Places") && mixed.iter().any(|f| f["group"] == "Machine"));
}

/// It depends on the mask of whoever runs the test; usually everybody may read.
fn mode_of_new_files() -> &'static str {
    use std::os::unix::fs::PermissionsExt;
    let probe = Folder::new("doctor-mask");
    probe.write("x", "");
    let mode = std::fs::metadata(probe.0.join("x")).unwrap().permissions().mode();
    if mode & 0o006 != 0 { "bad" } else { "good" }
}

#[test]
fn for_people() {
    let folder = Folder::new("doctor-people");
    folder.write("c.toml", "[[auth.token]]\nname = 'a'\ntoken = 'hush'\n[limits]\nkeep_alive = 0\n");
    let output = folder.chappe("doctor -c c.toml", &[("LANG", "C.UTF-8")]);
    let said = String::from_utf8(output.stdout).unwrap();
    // No terminal: words, and no colours.
    assert!(
        said.contains("\n  BAD    configuration") && !said.contains('\x1b') && !said.contains('✗'),
        "{said}"
    );
    assert!(
        said.contains("- c.toml:5:1: limits.keep_alive: 0 would serve nobody") && !said.contains("hush"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(1));
}
