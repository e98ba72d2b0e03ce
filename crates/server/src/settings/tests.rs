//! What configurations mean, and what is said about those that mean nothing.

use super::*;
use crate::config::Speaks;

fn resolve(text: &str) -> Result<Settings, Problems> {
    Settings::resolve(&toml::from_str(text).unwrap())
}

fn words(text: &str) -> String {
    resolve(text).err().map(|p| p.to_string()).unwrap_or_default()
}

#[test]
fn the_default_is_loopback_and_open_to_this_machine() {
    let s = resolve("").unwrap();
    assert_eq!((s.posture, s.listeners.len(), s.limits.publish_rate), (Posture::Loopback, 6, None));
    assert!(s.anonymous.is_some_and(|a| a.may_everywhere(model::Right::Write, 0)));
}

#[test]
fn devices_have_listeners_of_their_own() {
    let spoken = |text: &str| {
        let all = resolve(text).unwrap().listeners;
        all.iter().map(|l| (l.place.to_string(), l.speaks, l.optional)).collect::<Vec<_>>()
    };
    let device = |place: &str| (place.to_owned(), Speaks::Watchtower, true);
    let all = ["127.0.0.1:3033", "udp:127.0.0.1:3033", "[::1]:3033", "udp:[::1]:3033"].map(device);
    assert_eq!(spoken("")[2..], all);
    assert_eq!(spoken("[dialect.watchtower]\nenabled = false\n").len(), 2, "nobody serves them");
    assert_eq!(spoken("insecure = true\nproxies = ['127.0.0.1']\n").len(), 2, "others might reach them");
    let asked = "[[listener]]\naddress = 'udp:127.0.0.1:1'\nspeaks = 'watchtower'\n";
    assert_eq!(spoken(asked), [("udp:127.0.0.1:1".to_owned(), Speaks::Watchtower, false)]);
}

#[test]
fn listeners_of_devices_are_checked() {
    let udp = "[[listener]]\naddress = 'udp:127.0.0.1:1'\n";
    let device = "speaks = 'watchtower'\n";
    let far = format!("insecure = true\n[[listener]]\naddress = 'udp:0.0.0.0:1'\n{device}");
    for (text, says) in [
        (udp.to_owned(), "listener.speaks: HTTP is not spoken in datagrams"),
        (format!("{udp}{device}hosts = ['a']\n"), "listener.hosts: only HTTP has a `Host`"),
        (format!("{udp}{device}proxy_protocol = true\n"), "listener.proxy_protocol: no proxy"),
        (format!("{udp}{device}[dialect.watchtower]\nenabled = false\n"), "Watchtower is off"),
        (far.clone(), "Watchtower is off"),
    ] {
        let found = words(&text);
        assert!(found.contains(says), "{text}: {found}");
    }
    let devices = |text: &str| resolve(text).unwrap().dialects.watchtower.devices.open;
    assert_eq!(devices(udp.replace("udp:", "").as_str()), Some(true));
    assert_eq!(devices(&format!("{far}[dialect.watchtower]\nsecret = 'hush'\n")), Some(false));
    assert_eq!(devices(&format!("{far}[dialect.watchtower.devices]\nopen = true\n")), Some(true));
}

#[test]
fn who_reaches_a_proxy_reaches_what_is_behind_it() {
    assert!(words("proxies = ['127.0.0.1']\n").contains("by way of a proxy"));
    let listener = "[[listener]]\naddress = '127.0.0.1:1'\nproxy_protocol = true\n";
    assert!(words(listener).contains("by way of a proxy"));
    let s = resolve("insecure = true\nproxies = ['127.0.0.1']\n").unwrap();
    assert!(s.posture == Posture::Exposed && s.limits.publish_rate.is_some());
}

#[test]
fn exposed_needs_authentication() {
    let exposed = "[[listener]]\naddress = '0.0.0.0:1'\n";
    assert!(words(exposed).contains("--insecure"));
    assert!(resolve(&format!("insecure = true\n{exposed}")).unwrap().open);
    let s = resolve(&format!("{exposed}[[auth.token]]\nname='a'\ntoken='b'\n")).unwrap();
    assert!(s.anonymous.is_none() && !s.open);
    assert_eq!(s.limits.publish_rate, Some((50, 100)));
}

#[test]
fn the_page_is_for_loopback_unless_said_otherwise() {
    let page = |text| resolve(text).unwrap().dialects.playground.enabled;
    let exposed = "insecure = true\n[[listener]]\naddress = '0.0.0.0:1'\n";
    assert_eq!((page(""), page(exposed)), (Some(true), Some(false)));
    assert_eq!(page("[dialect.playground]\nenabled = false\n"), Some(false));
    assert_eq!(page(&format!("{exposed}[dialect.playground]\nenabled = true\n")), Some(true));
}

#[test]
fn a_loopback_listener_answers_to_its_own_number() {
    let s = resolve("[[listener]]\naddress = '127.0.0.2:1'\n").unwrap();
    assert!(s.listeners[0].gate.check("127.0.0.2:1", None).is_ok());
}

#[test]
fn problems_name_the_key_and_the_fix() {
    for (text, says) in [
        ("[limits]\nping_interval=0\n", "limits.ping_interval: 0 would serve nobody"),
        ("[[listener]]\naddress = 'here'\n", "listener.address: `here` is no address"),
        ("[[listener]]\naddress = 'unix:'\n", "listener.address: `unix:` is no address"),
        ("[[listener]]\naddress = '[::1]:1'\norigins = ['app.example']\n", "listener.origins: `app.example`"),
        ("[[listener]]\naddress = '[::1]:1'\n[[listener]]\naddress = '[::1]:1'\n", "listened at already"),
        ("[[auth.token]]\nname='a'\n", "`token` or `token_file` is missing"),
        ("[[auth.token]]\nname='a'\ntoken='x'\n[[auth.token]]\nname='b'\ntoken='x'\n", "same secret as `a`"),
        (
            "[anonymous]\ngrants=['SHOUT x']\n",
            "anonymous.grants: `SHOUT x`: a grant begins with READ, WRITE or MANAGE",
        ),
        ("[limits]\npending_bytes=5\n", "limits.pending_bytes: 5 is less than two messages"),
        ("[limits]\nmemory_budget=5\n", "limits.memory_budget: 5 is less than one slow reader"),
        ("vhosts = ['/a', 'b']", "vhosts: `b` is no virtual host"),
        ("proxies = ['10.0.0.0/33']", "proxies: `10.0.0.0/33` is no address or network"),
        ("[[listener]]\naddress = 'unix:/a'\nmode = '9'\n", "listener.mode: `9` are no permissions"),
        (
            "[[listener]]\naddress = '[::1]:1'\nmode = '660'\n",
            "listener.mode: this listener is no unix socket",
        ),
        ("shards = 0", "shards: 0 is no number of threads"),
        ("[admin]\naddress = '0.0.0.0:1'\n", "admin.address: the admin listener is reachable"),
    ] {
        assert!(words(text).contains(says), "{text:?} says {}", words(text));
    }
}

#[test]
fn every_problem_is_named() {
    let text = "[limits]\nping_interval=0\nkeep_alive=0\n[anonymous]\ngrants=['A', 'READ', 'READ a']\n";
    assert_eq!(resolve(text).err().unwrap().len(), 4);
}

fn changed(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
    let changes = changes(&resolve(old).unwrap(), &resolve(new).unwrap());
    (changes.live, changes.restart)
}

#[test]
fn changes_are_live_or_need_a_restart() {
    let none: Vec<String> = Vec::new();
    let token = "[[auth.token]]\nname='a'\ntoken='x'\n";
    assert_eq!(changed(token, token), (none.clone(), none.clone()));
    let other = "[[auth.token]]\nname='a'\ntoken='y'\n";
    assert_eq!(changed(token, other), (vec!["auth.token.token".into()], none.clone()));
    let two = format!("{token}[[auth.token]]\nname='b'\ntoken='z'\n");
    assert_eq!(changed(token, &two), (vec!["auth.token".into()], none.clone()));
    let restart = vec!["shards".into(), "limits.window_bytes".into()];
    assert_eq!(changed("", "shards = 77\n[limits]\nwindow_bytes = 9000000\n"), (none.clone(), restart));
    let listener = "[[listener]]\naddress='[::1]:1'\norigins=['*']\n[limits]\npublish_rate=5\n";
    let old = "[[listener]]\naddress='[::1]:2'\n";
    let live = ["listener.origins", "limits.publish_rate", "limits.publish_burst"].map(String::from).into();
    assert_eq!(changed(old, listener), (live, vec!["listener.address".into()]));
}

#[test]
fn a_secret_in_a_file_that_changed_is_a_change() {
    let file = std::env::temp_dir().join(format!("chappe-changes-{}", std::process::id()));
    let text = format!("[[auth.token]]\nname='a'\ntoken_file='{}'\n", file.display());
    std::fs::write(&file, "one\n").unwrap();
    let old = resolve(&text).unwrap();
    std::fs::write(&file, "two\n").unwrap();
    let new = resolve(&text).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(changes(&old, &new).live, ["auth.token.token_file"]);
}

#[test]
fn watchtower_is_for_loopback_until_it_has_a_secret() {
    let of = |text: &str| resolve(text).unwrap().dialects.watchtower;
    let secret = |text: &str| of(text).secret.map(|s| s.reveal().to_owned());
    let here = of("");
    assert_eq!((here.enabled, here.require_token), (Some(true), Some(false)));
    assert_eq!(secret("").as_deref(), Some("watchtowers_are_awesome"));
    assert_eq!(here.grants.unwrap(), ["READ **", "WRITE **"]);
    // Who knows the secret that everybody knows may do what anybody may.
    assert_eq!(of("[anonymous]\ngrants = ['READ a']\n").grants.unwrap(), ["READ a"]);
    assert_eq!(of("[[auth.token]]\nname='a'\ntoken='b'\n").grants, None);

    let exposed = "insecure = true\n[[listener]]\naddress = '0.0.0.0:1'\n";
    assert_eq!((of(exposed).enabled, secret(exposed)), (Some(false), None));
    let on = format!("{exposed}[dialect.watchtower]\nsecret = 'hush'\n");
    assert_eq!(
        (of(&on).enabled, of(&on).require_token, secret(&on).as_deref()),
        (Some(true), Some(true), Some("hush"))
    );
    assert_eq!(of(&format!("{on}require_token = false\n")).require_token, Some(false));
    assert_eq!(of(&format!("{on}enabled = false\n")).enabled, Some(false));
    assert_eq!(resolve(&on).unwrap().effective.dialect.watchtower.grants.unwrap(), ["READ **", "WRITE **"]);
}

#[test]
fn watchtowers_section_is_checked() {
    let exposed = "insecure = true\n[[listener]]\naddress = '0.0.0.0:1'\n";
    let section = "[dialect.watchtower]\n";
    for (text, says) in [
        (format!("{exposed}{section}enabled = true\n"), "dialect.watchtower.secret: is missing"),
        (format!("{exposed}{section}secret = 'watchtowers_are_awesome'\n"), "everybody knows this secret"),
        (format!("{section}secret = ''\n"), "dialect.watchtower.secret: the secret is empty"),
        (format!("{section}secret = 'a'\nsecret_file = 'b'\n"), "dialect.watchtower.secret_file"),
        (format!("{section}secret_file = '/nowhere/x'\n"), "cannot read /nowhere/x"),
        (format!("{section}idle_timeout = 0\n"), "dialect.watchtower.idle_timeout: 0 would serve nobody"),
        (format!("{section}channels_per_request = 0\n"), "dialect.watchtower.channels_per_request: 0"),
        (
            format!("{section}devices.handshake_seconds = 0\n"),
            "dialect.watchtower.devices.handshake_seconds: 0",
        ),
        (
            format!("{section}devices.udp_idle_seconds = 0\n"),
            "dialect.watchtower.devices.udp_idle_seconds: 0",
        ),
        (format!("{section}grants = ['SHOUT a']\n"), "dialect.watchtower.grants: `SHOUT a`"),
        (format!("{section}aliases = {{ a = 5, b = 5 }}\n"), "aliases.b: `a` goes by 5 too"),
        (format!("{section}aliases = {{ a = 0 }}\n"), "aliases.a: 0 is no channel"),
        (format!("{section}aliases = {{ '7' = 5 }}\n"), "a channel whose name is a number"),
        (format!("{section}aliases = {{ '' = 5 }}\n"), "dialect.watchtower.aliases.: "),
    ] {
        let found = words(&text);
        assert!(found.contains(says), "{text}: {found}");
    }
}
