//! What the program says of itself: help, versions, completions, and exit codes for wrong usage.

use crate::stage::{chappe, run};

const COMMANDS: [&[&str]; 12] = [
    &[],
    &["serve"],
    &["pub"],
    &["sub"],
    &["bench"],
    &["bench", "fan"],
    &["bench", "rooms"],
    &["bench", "pairs"],
    &["bench", "idle"],
    &["bench", "roster"],
    &["version"],
    &["completions"],
];

#[test]
fn help_fits_and_says_first_what_the_command_does() {
    for command in COMMANDS {
        let arguments: Vec<&str> = command.iter().chain(&["--help"]).copied().collect();
        let said = run(&mut chappe(&arguments));
        assert_eq!(said.code, Some(0), "{command:?}");
        for line in said.out.lines() {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
        }
        let first = said.out.lines().next().unwrap();
        assert!(!first.starts_with("Usage") && !first.is_empty(), "{command:?}: {first}");
        assert!(!said.out.contains('\x1b'), "colours belong to terminals");
    }
}

#[test]
fn help_ends_with_examples() {
    for (command, example) in [
        (&["--help"][..], "chappe pub chat hello"),
        (&["pub", "--help"], "chappe pub chat hello"),
        (&["sub", "--help"], "chappe sub chat --count 1"),
        (&["bench", "--help"], "chappe bench fan"),
    ] {
        let said = run(&mut chappe(command));
        let (_, examples) = said.out.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{}", said.out));
        assert!(examples.contains(example), "{examples}");
    }
    assert!(run(&mut chappe(&["--help"])).out.contains("\nExit codes:\n"));
}

#[test]
fn the_variables_value_is_not_in_the_help() {
    let said = run(chappe(&["pub", "--help"]).env("CHAPPE_TOKEN", "hush"));
    assert!(said.out.contains("CHAPPE_TOKEN") && !said.out.contains("hush"));
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &["pub"][..],
        &["sub"],
        &["pub", "chat", "x", "--rate", "0"],
        &["pub", "chat", "x", "--text", "--json"],
        &["pub", "chat", "x", "--event", "a\nb"],
        &["pub", "chat", "x", "--token", "hush\n"],
        &["pub", "chat", "x", "--url", "127.0.0.1:6889"],
        &["pub", "chat", "x", "--url", "http://me:hush@127.0.0.1:1"],
        &["sub", "chat", "--url", "http://127.0.0.1:1/?token=hush"],
        &["sub", "chat", "--ca", "/nowhere/ca.pem"],
        &["bench", "fan", "--url", "ws://192.0.2.1:1/"],
        &["bench", "fan", "--url", "wss://127.0.0.1:1/"],
        &["bench", "fan", "--pid", "4194304"],
        &["serve", "--config", "/nowhere/chappe.toml"],
        &["nonsense"],
    ] {
        let said = run(&mut chappe(arguments));
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.err);
        assert!(!said.err.is_empty() && said.out.is_empty(), "{arguments:?}");
        assert!(!said.err.contains("hush"), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn versions() {
    let said = run(&mut chappe(&["version", "--json"]));
    let object: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(object["version"], env!("CARGO_PKG_VERSION"));
    for dialect in ["http", "rooms", "playground", "watchtower"] {
        assert!(object["dialects"].as_array().unwrap().contains(&dialect.into()), "{dialect}");
    }
    assert!(object["target"].as_str().unwrap().contains(std::env::consts::ARCH));
    let said = run(&mut chappe(&["version"]));
    assert!(said.out.starts_with(&format!("chappe {}\n", env!("CARGO_PKG_VERSION"))), "{}", said.out);
}

#[test]
fn completions() {
    for (shell, sign) in
        [("bash", "complete -F _chappe"), ("zsh", "#compdef chappe"), ("fish", "complete -c chappe")]
    {
        let said = run(&mut chappe(&["completions", shell]));
        assert_eq!(said.code, Some(0));
        assert!(said.out.contains(sign) && said.out.contains("no-reconnect"), "{shell}");
    }
}
