//! `chappe bench` against a server that runs: nothing lost, with tokens and over TLS too.

use crate::stage::{House, Said, run};
use crate::tls::seal;

const TOKENS: &str =
    "[[auth.token]]\nname = \"joe\"\ntoken = \"hush-hush-hush-hush\"\ngrants = [\"READ **\", \"WRITE **\"]\n";
const FAN: [&str; 9] = ["bench", "fan", "--members", "8", "--seconds", "0.2", "--warm", "0.05", "--json"];
const IDLE: [&str; 7] = ["bench", "idle", "--members", "40", "--rooms", "5", "--json"];

fn report(said: &Said) -> serde_json::Value {
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["failed"], false, "{}", said.out);
    report
}

fn with<'a>(work: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    work.iter().chain(more).copied().collect()
}

#[test]
fn what_a_run_tells() {
    let house = House::start("");
    let pid = house.pid();
    let fan = report(&run(&mut house.command(&with(&FAN, &["--pid", &pid]))));
    assert!(fan["delivered"].as_u64().unwrap() > 0);
    assert_eq!(fan["lost"], 0);
    let keys =
        ["delivered_per_second", "latency_p50_us", "latency_p99_us", "latency_p999_us", "server_cpu_us"];
    for key in keys.iter().chain(&["bytes_per_session", "generator_cpu_share"]) {
        assert!(fan[key].is_number(), "{key}: {fan}");
    }
    let idle = report(&run(&mut house.command(&with(&IDLE, &["--pid", &pid]))));
    for key in ["joined_per_second", "server_cpu_us_per_session", "bytes_per_session", "generator_cpu_share"]
    {
        assert!(idle[key].is_number(), "{key}: {idle}");
    }
}

#[test]
fn over_tls() {
    let house = House::start("");
    let (relay, ca) = seal(&house);
    let url = format!("wss://{}/", relay.address);
    for trust in [&["--ca", ca.as_str()][..], &["--insecure-tls"]] {
        // Messages larger than a record, and several of them at once.
        let large = with(&FAN, &["--size", "40000", "--burst", "4"]);
        let polls = with(&large, &["--as", "socketio-polling"]);
        for work in [large, polls, with(&FAN, &["--as", "socketio"]), with(&FAN, &[]), IDLE.to_vec()] {
            let arguments = with(&with(&work, &["--url", &url]), trust);
            report(&run(&mut house.command(&arguments)));
        }
    }
    let (_, other) = seal(&house);
    let said = run(&mut house.command(&with(&IDLE, &["--url", &url, "--ca", &other])));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no TLS") && said.err.contains("certificate"), "{}", said.err);
}

#[test]
fn with_a_token() {
    let house = House::start(TOKENS);
    report(&run(house.command(&FAN).env("CHAPPE_TOKEN", "hush-hush-hush-hush")));
    let said = run(house.command(&FAN).env("CHAPPE_TOKEN", "wrong-wrong-wrong"));
    assert_eq!(said.code, Some(1));
    assert!(!said.err.contains("wrong-wrong"), "{}", said.err);
    for tongue in ["socketio", "socketio-polling"] {
        let idle = with(&IDLE, &["--as", tongue]);
        report(&run(house.command(&idle).env("CHAPPE_TOKEN", "hush-hush-hush-hush")));
        let said = run(&mut house.command(&idle));
        assert_eq!(said.code, Some(1), "{tongue}: {}", said.out);
        assert!(said.err.contains("says: "), "{tongue}: {}", said.err);
    }
}
