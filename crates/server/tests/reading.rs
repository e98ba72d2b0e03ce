//! Reading a configuration: every mistake is named, with its place; no secret is.

use server::config::{Config, Origin, Problems, Reading};
use std::path::Path;

fn read(text: &str, variables: &[(&str, &str)]) -> Reading {
    let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Reading::of_text(text, Path::new("c.toml"), variables)
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let all = read(text, variables).resolve().err().unwrap_or_default();
    all.iter().map(ToString::to_string).collect()
}

fn assert_begin(heard: &[String], expected: &[&str]) {
    let right = heard.len() == expected.len() && heard.iter().zip(expected).all(|(h, e)| h.starts_with(e));
    assert!(right, "heard:\n{}\nexpected:\n{}", heard.join("\n"), expected.join("\n"));
}

#[test]
fn five_mistakes_of_five_kinds_are_five_problems() {
    let text = "\
shards = 'many'

[limits]
mesage_bytes = 1000
pending_bytes = 5

[[listener]]
address = 'here'

[[auth.token]]
name = 'alice'
token = 'hush-hush'
grants = ['READ chat.*', 'SHOUT **']
";
    let heard = problems(text, &[]);
    let expected = [
        "c.toml:1:1: shards: expected a whole number from 0 to 65535, found text; write it as in `shards = 4`",
        "c.toml:4:1: limits.mesage_bytes: unknown key `mesage_bytes`; did you mean `message_bytes`?",
        "c.toml:5:1: limits.pending_bytes: 5 is less than two messages of 2097152; make it at least 4194304",
        "c.toml:8:1: listener.address: `here` is no address; write it as 127.0.0.1:6889",
        "c.toml:13:26: auth.token.grants: `SHOUT **`: a grant begins with READ, WRITE or MANAGE; write it as",
    ];
    assert_begin(&heard, &expected);
}

#[test]
fn one_mistake_is_one_problem() {
    // Nothing follows from it: not that the token has no secret, nor that nobody authenticates, nor that two
    // messages would not fit.
    for (text, expected) in [
        ("[[auth.token]]\nname = 'a'\ntoken = 5\n", "c.toml:3:1: auth.token.token: expected text"),
        ("auth = 3\n[[listener]]\naddress = '0.0.0.0:1'\n", "c.toml:1:1: auth: expected a section"),
        ("[limits]\nmessage_bytes = '9'\npending_bytes = 18\n", "c.toml:2:1: limits.message_bytes: expected"),
        ("[[channel]]\nslow = 'drop-oldest'\n", "c.toml:1:1: channel.pattern: is missing; add `pattern ="),
        ("[[listener]]\naddress = 1\n", "c.toml:2:1: listener.address: expected text in quotes"),
        ("listener = [1]\n", "c.toml:1:13: listener: expected a section, found a whole number"),
        (
            "[listener]\naddress = '[::1]:1'\n",
            "c.toml:1:2: listener: expected a list of sections, found a section",
        ),
        ("assigned = ['a', 2]\n", "c.toml:1:18: assigned: expected text in quotes, found a whole number"),
        ("shards = 65536\n", "c.toml:1:1: shards: expected a whole number from 0 to 65535, found 65536"),
        ("shards = 99999999999999999999\n", "c.toml:1:1: shards: the number is too large"),
        (
            "[[channel]]\npattern='a'\nslow = 'fast'\n",
            "c.toml:3:1: channel.slow: expected one of \"disconnect\", ",
        ),
        (
            "[limits]\nkeep_alive = -1\n",
            "c.toml:2:1: limits.keep_alive: expected a whole number, 0 or more, found -1",
        ),
        (
            "[dialect.rooms]\nack = true\n",
            "c.toml:2:1: dialect.rooms.ack: unknown key `ack`; did you mean `acks`?",
        ),
        (
            "message_bytes = 1\n",
            "c.toml:1:1: message_bytes: unknown key `message_bytes`; did you mean `limits.message_bytes`?",
        ),
    ] {
        assert_begin(&problems(text, &[]), &[expected]);
    }
}

#[test]
fn what_is_no_toml_is_one_problem() {
    let heard = problems("shards = 1\nadmin = = 2\nlimits = 5\n", &[]);
    assert_begin(&heard, &["c.toml:2:9: this is not TOML: "]);
    assert!(heard[0].contains("nothing else has been looked at"), "{heard:?}");
}

#[test]
fn files_that_are_named_are_opened() {
    let text = "[[auth.token]]\nname = 'a'\ntoken_file = '/nowhere/a.token'\n\
        [[listener]]\naddress = '[::1]:1'\n[[listener.tls]]\ncert = '/nowhere/c.pem'\nkey = '/nowhere/c.key'\n";
    let expected = [
        "c.toml:3:1: auth.token.token_file: cannot read /nowhere/a.token: No such file",
        "c.toml:7:1: listener.tls.cert: /nowhere/c.pem: no certificates can be read: No such file",
    ];
    assert_begin(&problems(text, &[]), &expected);
}

#[test]
fn problems_of_variables_name_the_variable() {
    let heard = problems(
        "[[listener]]\naddress = '[::1]:1'\n",
        &[
            ("CHAPPE__LIMITS__MESAGE_BYTES", "1"),
            ("CHAPPE__LIMITS__PING_INTERVAL", "soon"),
            ("CHAPPE__LISTENER__0__ADDRESS", "there"),
            ("CHAPPE__LISTENER__5__VHOST", "/a"),
            ("CHAPPE__SHARDS__X", "1"),
            ("CHAPPE_URL", "not ours"),
        ],
    );
    let expected = [
        "CHAPPE__LIMITS__MESAGE_BYTES: limits.mesage_bytes: unknown key `mesage_bytes`; did you mean `message_bytes`, CHAPPE__LIMITS__MESSAGE_BYTES?",
        "CHAPPE__LISTENER__5__VHOST: listener.vhost: the list `listener` has 1 members; members are counted from 0",
        "CHAPPE__SHARDS__X: shards.x: there is nothing below it; set CHAPPE__SHARDS",
        "CHAPPE__LIMITS__PING_INTERVAL: limits.ping_interval: expected a whole number, 0 or more, found text; write it in seconds, as in `CHAPPE__LIMITS__PING_INTERVAL='30'`",
        "CHAPPE__LISTENER__0__ADDRESS: listener.address: `there` is no address",
    ];
    assert_begin(&heard, &expected);
}

#[test]
fn the_environment_overlays() {
    let text = "shards = 1\n[[auth.token]]\nname = 'a'\ntoken = 'x'\n";
    let variables = [
        ("CHAPPE__LIMITS__MESSAGE_BYTES", "1000"),
        ("CHAPPE__SHARDS", "3"),
        ("CHAPPE__ANONYMOUS__GRANTS", r#"["READ **"]"#),
        // Text stays text, whatever else it could be; quotes are taken off.
        ("CHAPPE__AUTH__TOKEN__0__TOKEN", "12345"),
        ("CHAPPE__ADMIN__TOKEN", "\"true\""),
        ("CHAPPE__AUTH__TOKEN__1__NAME", "b"),
        ("CHAPPE__AUTH__TOKEN__1__TOKEN", "[y]"),
        ("CHAPPE_URL", "not ours"),
    ];
    let reading = read(text, &variables);
    assert_eq!(reading.problems, Problems::default());
    let (c, origins) = (&reading.config, &reading.origins);
    assert_eq!((c.limits.message_bytes, c.shards), (Some(1000), Some(3)));
    assert_eq!(c.anonymous.as_ref().unwrap().grants, ["READ **"]);
    let secrets: Vec<_> = c.auth.token.iter().map(|t| t.token.as_ref().unwrap().reveal()).collect();
    assert_eq!((secrets, c.admin.token.as_ref().unwrap().reveal()), (vec!["12345", "[y]"], "true"));
    assert_eq!(c.auth.token[1].name, "b");
    assert_eq!(*origins.of("shards"), Origin::Environment("CHAPPE__SHARDS".into()));
    assert_eq!(origins.of("auth.token.0.name").to_string(), "c.toml:3:1");
    assert_eq!(*origins.of("limits.keep_alive"), Origin::Default);
    assert!(reading.resolve().is_ok());
}

#[test]
fn a_variable_takes_the_place_of_a_whole_list() {
    let text = "[[listener]]\naddress = '[::1]:1'\nvhost = '/old'\n";
    let reading = read(text, &[("CHAPPE__LISTENER", "[{address = 'nowhere'}]")]);
    assert_eq!(reading.config.listener.len(), 1);
    assert_eq!(*reading.origins.of("listener.0.vhost"), Origin::Default);
    let heard = reading.resolve().err().unwrap().to_string();
    assert!(heard.starts_with("CHAPPE__LISTENER: listener.address: `nowhere` is no address"), "{heard}");
}

#[test]
fn a_file_that_is_not_there() {
    let heard = Config::load(Some(Path::new("/nowhere/c.toml")), std::iter::empty()).unwrap_err().to_string();
    assert!(heard.starts_with("cannot read /nowhere/c.toml: No such file"), "{heard}");
}

/// Every way to write a secret where a problem is: its value is in none of them.
#[test]
fn no_secret_is_shown() {
    let secret = "hush-4711";
    let mut heard = String::new();
    for text in [
        "[[auth.token]]\nname = 'a'\ntokn = 'hush-4711'\n",
        "[[auth.token]]\nname = 'a'\ntoken = ['hush-4711']\n",
        "[[auth.token]]\nname = 'a'\ntoken = 'hush-4711\n",
        "[[auth.token]]\nname = 'a'\ntoken = hush-4711\n",
        "[[auth.token]]\nname = 'a'\ntoken = 'hush-4711' 'x'\n",
        "[[auth.token]]\ntoken = 'hush-4711'\ntoken_file = '/nowhere'\n",
        "[admin]\naddress = 'x'\ntoken = 'hush-4711'\n",
        "token = 'hush-4711'\n",
    ] {
        let all = problems(text, &[]);
        assert!(!all.is_empty(), "{text:?} is wrong");
        heard += &all.join("\n");
    }
    for variable in ["CHAPPE__ADMIN__TOKN", "CHAPPE__AUTH__TOKEN", "CHAPPE__AUTH__TOKEN__0__TOKEN"] {
        let all = problems("", &[(variable, "hush-4711")]);
        assert!(!all.is_empty(), "{variable} is wrong");
        heard += &all.join("\n");
    }
    assert!(!heard.contains(secret), "{heard}");
    let reading = read("[[auth.token]]\nname = 'a'\ntoken = 'hush-4711'\n", &[]);
    assert!(!format!("{reading:?}").contains(secret));
    let settings = reading.resolve().map(|(s, _)| format!("{:?}", s.effective)).unwrap();
    assert!(!settings.contains(secret));
}

/// The struct that is read and the list of keys are made from the same lines; this sees that values go through both.
#[test]
fn every_key_can_be_read() {
    use dialect::settings::Kind;
    for leaf in server::config::leaves() {
        let value = match leaf.key.kind {
            _ if !leaf.key.example.is_empty() => leaf.key.example.to_owned(),
            Kind::Flag => "true".to_owned(),
            Kind::Integer { .. } => "7".to_owned(),
            Kind::Text | Kind::Secret => "'x'".to_owned(),
            Kind::Words(words) => format!("'{}'", words[0]),
            Kind::Texts => "['x']".to_owned(),
            Kind::Numbers => "{ x = 1 }".to_owned(),
            Kind::Table(_) | Kind::Tables(_) => unreachable!("a leaf holds a value"),
        };
        let (section, name) = leaf.path.rsplit_once('.').unwrap_or(("", &leaf.path));
        let text = match (section, leaf.listed) {
            ("", _) => format!("{name} = {value}\n"),
            (_, false) => format!("[{section}]\n{name} = {value}\n"),
            ("listener.tls", true) => format!("[[listener]]\n[[{section}]]\n{name} = {value}\n"),
            (_, true) => format!("[[{section}]]\n{name} = {value}\n"),
        };
        let problems = read(&text, &[]).problems;
        let all: Vec<_> = problems.iter().filter(|p| p.what != "is missing").collect();
        assert!(all.is_empty(), "{text}: {all:?}");
    }
}
