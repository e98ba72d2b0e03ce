//! `chappe config` by the built binary: what it says, where it says it, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::Folder;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

/// What it prints when all is well.
#[track_caller]
fn said(folder: &Folder, words: &str, variables: &[(&str, &str)]) -> String {
    let output = folder.chappe(words, variables);
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const WRONG: &str = "\
shards = 'many'
[limits]
mesage_bytes = 1000
pending_bytes = 5
[[listener]]
address = 'here'
[[auth.token]]
name = 'alice'
token = 'hush-hush'
grants = ['SHOUT **']
[log]
filter = 'info,='
";

#[test]
fn check_and_serve_name_every_problem() {
    let folder = Folder::new("wrong");
    folder.write("c.toml", WRONG);
    for words in ["config check c.toml", "config print c.toml", "serve --config c.toml"] {
        let output = folder.chappe(words, &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}: {said}");
        for place in [
            "1:1: shards",
            "3:1: limits.m",
            "4:1: limits.p",
            "6:1: listener",
            "10:11: auth.token",
            "12:1: log",
        ] {
            assert!(
                said.lines().any(|l| l.starts_with(&format!("c.toml:{place}"))),
                "{words}, {place}: {said}"
            );
        }
        assert!(said.contains("6 problems") && !said.contains("hush"), "{words}: {said}");
        assert!(output.stdout.is_empty(), "{words}");
    }
    let output = folder.chappe("config check --json c.toml", &[]);
    assert_eq!(output.status.code(), Some(2));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["right"], json["problems"].as_array().unwrap().len()), (&false.into(), 6));
    assert_eq!(
        (&json["problems"][1]["line"], &json["problems"][1]["key"]),
        (&3.into(), &"limits.mesage_bytes".into())
    );
}

#[test]
fn flags_and_variables_are_named_too() {
    let folder = Folder::new("flags");
    let output = folder.chappe("serve --listen here", &[("CHAPPE__LIMITS__KEEP_ALIVE", "0")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("\n--listen: listener.address: `here` is no address"), "{said}");
    assert!(said.contains("\nCHAPPE__LIMITS__KEEP_ALIVE: limits.keep_alive: 0 would serve nobody"), "{said}");
    assert_eq!(output.status.code(), Some(2));
    let strange = OsStr::from_bytes(b"hush\xff");
    let output = folder.command("config check").env("CHAPPE__ADMIN__TOKEN", strange).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("CHAPPE__ADMIN__TOKEN: its value is no UTF-8") && !said.contains("hush"),
        "{said}"
    );
}

const RIGHT: &str = "\
assigned = [\"user(*)\"]
[[listener]]
address = \"0.0.0.0:7001\"
origins = [\"https://app.example\", \"https://a'b\\\\c.example\"]
[[auth.token]]
name = 'alice'
token_file = 'alice.token'
grants = ['READ chat.*']
[anonymous]
grants = ['READ news.*']
[[channel]]
pattern = 'news.*'
slow = 'keep-latest'
[limits]
publish_rate = 7
";

#[test]
fn a_right_one_says_who_may_do_what() {
    let folder = Folder::new("right");
    folder.write("c.toml", RIGHT);
    folder.write("alice.token", "hush\n");
    let said = said(&folder, "config check c.toml", &[]);
    for words in
        ["c.toml is right.", "others too, who authenticate", "0.0.0.0:7001", "READ chat.*", "READ news.*"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.lines().count() < 20 && !said.contains("hush"), "{said}");
}

#[test]
fn what_is_printed_means_the_same_and_says_where_it_comes_from() {
    let folder = Folder::new("print");
    folder.write("c.toml", RIGHT);
    folder.write("alice.token", "hush\n");
    let variables = [("CHAPPE__LIMITS__KEEP_ALIVE", "44")];
    let printed = said(&folder, "config print c.toml", &variables);
    assert!(
        printed.contains("# c.toml:15\n") && printed.contains("# CHAPPE__LIMITS__KEEP_ALIVE\n"),
        "{printed}"
    );
    let line = |begins: &str| printed.lines().find(|l| l.starts_with(begins)).unwrap_or_default();
    assert!(line("name = \"alice\"").ends_with("# c.toml:6"), "{printed}");
    assert!(line("keep_alive = 44").ends_with("# CHAPPE__LIMITS__KEEP_ALIVE"), "{printed}");
    assert!(line("ping_interval = 30").ends_with("# default"), "{printed}");
    folder.write("again.toml", &printed);
    let again = said(&folder, "config print again.toml", &[]);
    assert_eq!(without_comments(&again), without_comments(&printed));

    // And so does every variable, where there is no file.
    let variables = said(&folder, "config env c.toml", &variables);
    for line in [
        "# Threads that serve. [default]",
        "# Who shows it; other members see this name. As in `\"alice\"`. [c.toml:6]",
        "CHAPPE__AUTH__TOKEN__0__GRANTS='[\"READ chat.*\"]'",
        "CHAPPE__LIMITS__KEEP_ALIVE=44",
    ] {
        assert!(variables.lines().any(|l| l == line), "{line}: {variables}");
    }
    folder.write("variables", &variables);
    let script = format!("set -a; . ./variables; exec {} config print", env!("CARGO_BIN_EXE_chappe"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(&folder.0).output().unwrap();
    let again = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(without_comments(&again), without_comments(&printed), "{output:?}");
}

fn without_comments(text: &str) -> Vec<&str> {
    text.lines().map(|l| l.split("  #").next().unwrap_or(l).trim()).filter(|l| !l.starts_with('#')).collect()
}

#[test]
fn secrets_are_printed_nowhere() {
    let folder = Folder::new("secret");
    folder.write("c.toml", "[[auth.token]]\nname = 'a'\ntoken = 'hush'\n");
    for words in
        ["config check c.toml", "config check --json c.toml", "config print c.toml", "config env c.toml"]
    {
        let said = said(&folder, words, &[("CHAPPE__ADMIN__TOKEN", "hush-too")]);
        assert!(!said.contains("hush"), "{words}: {said}");
    }
    assert!(said(&folder, "config print c.toml", &[]).contains("token = \"***\""));
}

const BEGIN: &str = "<!-- keys: written by `chappe config doc`; do not edit, run `cargo xtask bless` -->\n";
const END: &str = "<!-- end of keys -->";

#[test]
fn the_page_has_the_reference_of_this_version() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark where the keys begin");
    let (keys, after) = rest.split_once(END).expect("the mark where the keys end");
    let wanted = format!("\n{}", said(&Folder::new("doc"), "config doc", &[]));
    if keys != wanted && std::env::var_os("BLESS").is_some() {
        fs::write(&page, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert!(
        keys == wanted,
        "docs/configuration.md differs from `chappe config doc`; run `cargo xtask bless`"
    );
}
