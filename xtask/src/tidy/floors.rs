//! The floors: which crate may use which, read from `cargo metadata`.
//!
//! Cargo refuses circles; this refuses edges sideways and upward, keeps the pure crates pure, and keeps the
//! workshop out of the product. Only normal (and build) dependencies count: what tests use is free.

use super::complaint::Complaint;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// From the ground up. A crate may use the rows above its own in this list. The dialects live on `DIALECTS`.
const FLOORS: [&[&str]; 8] = [
    &["model"],
    &["hub", "dialect"],
    &["backplane"],
    &["node"],
    &["carrier"],
    &["admin"],
    &["server"],
    &["chappe"],
];
const DIALECTS: usize = 2;
/// The lowest floor that may name a dialect's crate.
const KNOWS_DIALECTS: usize = 6;
/// Development only: they may use everything, nothing outside may use them.
const WORKSHOP: [&str; 6] = ["transcript", "crossing", "fuzz", "soak", "xtask", "bench"];
/// All of the workspace that a dialect may use.
const SEAM: [&str; 2] = ["model", "dialect"];

/// What crates of others a pure crate may name.
const MODEL_ALLOWS: [&str; 1] = ["bytes"];
const HUB_ALLOWS: [&str; 4] = ["bytes", "hashbrown", "foldhash", "smallvec"];
const SEAM_ALLOWS: [&str; 4] = ["bytes", "serde", "serde_json", "base64"];
const DIALECTS_ALLOW: [&str; 7] =
    ["base64", "bytes", "hmac-sha256", "memchr", "serde", "serde_json", "subtle"];

/// What must not even be reached through others: runtimes, sockets, chance, clocks, logs. `x*` is a beginning.
const IMPURE: [&str; 26] = [
    "tokio*",
    "mio*",
    "socket2",
    "async-std",
    "async-io",
    "async-executor",
    "smol*",
    "polling",
    "hyper*",
    "reqwest",
    "rustls*",
    "quinn*",
    "tungstenite",
    "axum*",
    "futures-executor",
    "libc",
    "rustix",
    "nix",
    "windows-sys",
    "getrandom",
    "rand*",
    "fastrand",
    "chrono",
    "time",
    "log",
    "tracing*",
];

const REASON: &str = "docs and house.md: pure crates do no I/O, roll no dice, read no clock, log nothing";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Floor(usize),
    Dialect,
    Workshop,
}

impl Place {
    fn floor(self) -> Option<usize> {
        match self {
            Self::Floor(floor) => Some(floor),
            Self::Dialect => Some(DIALECTS),
            Self::Workshop => None,
        }
    }
}

/// A crate of the workspace, as cargo sees it.
struct Member<'a> {
    name: &'a str,
    id: &'a str,
    manifest: String,
    place: Place,
    /// Name, and whether it is of the workspace.
    uses: Vec<(&'a str, bool)>,
}

impl Member<'_> {
    /// The crates of others it may name; `None` when it is not pure.
    fn allow_list(&self) -> Option<&'static [&'static str]> {
        match (self.place, self.name) {
            (Place::Dialect, _) => Some(&DIALECTS_ALLOW),
            (_, "model") => Some(&MODEL_ALLOWS),
            (_, "hub") => Some(&HUB_ALLOWS),
            (_, "dialect") => Some(&SEAM_ALLOWS),
            _ => None,
        }
    }
}

pub(super) fn check(root: &Path, metadata: &Value) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let members = members(root, metadata, &mut complaints);
    let places: BTreeMap<&str, Place> = members.iter().map(|m| (m.name, m.place)).collect();
    let reach = Reach::new(metadata);
    for member in &members {
        for (used, inside) in &member.uses {
            let broken = if *inside { edge(member, used, &places) } else { stranger(member, used) };
            if let Some((what, fix)) = broken {
                let line = line_of(root, &member.manifest, used);
                complaints.push(Complaint::error(&member.manifest, line, what, fix));
            }
        }
        if member.allow_list().is_some() {
            for road in reach.impure(member.id) {
                let what = format!("{} is pure but reaches {road}", member.name);
                let fix = format!("cut that edge or switch the feature off ({REASON})");
                complaints.push(Complaint::error(&member.manifest, 0, what, fix));
            }
        }
    }
    complaints
}

/// What is wrong with a crate of the workspace using another.
fn edge(member: &Member<'_>, used: &str, places: &BTreeMap<&str, Place>) -> Option<(String, String)> {
    let name = member.name;
    let own = member.place.floor()?;
    let Some(other) = places.get(used).copied().and_then(Place::floor) else {
        let fix = "make it a dev-dependency, or move what is needed onto a floor";
        return Some((format!("{name} uses {used}, which is of the workshop"), fix.to_owned()));
    };
    let of_dialect = places.get(used) == Some(&Place::Dialect);
    if member.place == Place::Dialect && !SEAM.contains(&used) {
        let fix = "a dialect knows model and dialect only; what it needs more is a noun of the seam";
        return Some((format!("{name} uses {used}"), fix.to_owned()));
    }
    if of_dialect && own < KNOWS_DIALECTS {
        let fix = "only server and what is above it know dialects; reach them by the seam";
        return Some((format!("{name} uses {used}, a dialect"), fix.to_owned()));
    }
    (other >= own).then(|| {
        let way = if other == own { "sideways" } else { "upwards" };
        let fix = "move what both need to a lower floor, or turn the edge around";
        (format!("{name} (floor {own}) uses {used} (floor {other}): {way}"), fix.to_owned())
    })
}

/// What is wrong with a crate of the workspace using a crate of others.
fn stranger(member: &Member<'_>, used: &str) -> Option<(String, String)> {
    let allowed = member.allow_list()?;
    (!allowed.contains(&used)).then(|| {
        let what = format!("{} is pure and uses {used}; it may use: {}", member.name, allowed.join(", "));
        let fix = "do without, or write an ADR and add it to the lists in xtask/src/tidy/floors.rs";
        (what, fix.to_owned())
    })
}

fn members<'a>(root: &Path, metadata: &'a Value, complaints: &mut Vec<Complaint>) -> Vec<Member<'a>> {
    let inside: BTreeSet<&str> =
        list(&metadata["workspace_members"]).iter().filter_map(Value::as_str).collect();
    let packages: Vec<&Value> = list(&metadata["packages"])
        .iter()
        .filter(|p| p["id"].as_str().is_some_and(|id| inside.contains(id)))
        .collect();
    let mut members = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = relative(root, package["manifest_path"].as_str().unwrap_or_default());
        let place = if manifest.starts_with("dialects/") {
            Place::Dialect
        } else if WORKSHOP.contains(&name) {
            Place::Workshop
        } else if let Some(floor) = FLOORS.iter().position(|names| names.contains(&name)) {
            Place::Floor(floor)
        } else {
            let fix = "give it a place in FLOORS or WORKSHOP of xtask/src/tidy/floors.rs, with an ADR";
            complaints.push(Complaint::error(&manifest, 0, format!("{name} stands on no floor"), fix));
            continue;
        };
        let uses = list(&package["dependencies"])
            .iter()
            .filter(|d| d["kind"].as_str() != Some("dev"))
            .filter_map(|d| Some((d["name"].as_str()?, d["path"].is_string())))
            .collect();
        members.push(Member { name, id: package["id"].as_str().unwrap_or_default(), manifest, place, uses });
    }
    members
}

/// Who reaches whom in the resolved graph, by normal dependencies.
struct Reach<'a> {
    names: BTreeMap<&'a str, &'a str>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Reach<'a> {
    fn new(metadata: &'a Value) -> Self {
        let names = list(&metadata["packages"])
            .iter()
            .filter_map(|p| Some((p["id"].as_str()?, p["name"].as_str()?)))
            .collect();
        let normal = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|k| k["kind"].is_null());
        let edges = list(&metadata["resolve"]["nodes"])
            .iter()
            .filter_map(|node| {
                let to =
                    list(&node["deps"]).iter().filter(normal).filter_map(|d| d["pkg"].as_str()).collect();
                Some((node["id"].as_str()?, to))
            })
            .collect();
        Self { names, edges }
    }

    /// The roads from a crate to impure ones, each as `a → b → c`. Ends at the first impure crate of a road.
    fn impure(&self, from: &'a str) -> Vec<String> {
        let mut roads = Vec::new();
        let mut seen = BTreeSet::from([from]);
        let mut waiting = vec![(from, String::new())];
        while let Some((id, road)) = waiting.pop() {
            for next in self.edges.get(id).into_iter().flatten().copied() {
                let name = self.names.get(next).copied().unwrap_or(next);
                let further = if road.is_empty() { name.to_owned() } else { format!("{road} → {name}") };
                if !seen.insert(next) {
                    continue;
                }
                if is_impure(name) {
                    roads.push(further);
                } else {
                    waiting.push((next, further));
                }
            }
        }
        roads
    }
}

fn is_impure(name: &str) -> bool {
    IMPURE.iter().any(|entry| match entry.strip_suffix('*') {
        Some(stem) => {
            name.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
        }
        None => name == *entry,
    })
}

/// Where a manifest names a dependency.
fn line_of(root: &Path, manifest: &str, used: &str) -> usize {
    let text = fs::read_to_string(root.join(manifest)).unwrap_or_default();
    let names = |line: &str| line.strip_prefix(used).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    text.lines().position(names).map_or(0, |at| at + 1)
}

fn relative(root: &Path, path: &str) -> String {
    Path::new(path).strip_prefix(root).map_or(path.to_owned(), |p| p.to_string_lossy().into_owned())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace of `(name, manifest, what it uses)`, as `cargo metadata` would tell it.
    fn house(crates: &[(&str, &str, &[&str])]) -> Value {
        let ours = |name: &str| crates.iter().any(|c| c.0 == name);
        let mut packages = Vec::new();
        let mut nodes = Vec::new();
        for (name, manifest, uses) in crates {
            let declared: Vec<Value> = uses
                .iter()
                .map(|u| json!({ "name": u, "kind": null, "path": ours(u).then_some("/x") }))
                .collect();
            let deps: Vec<Value> =
                uses.iter().map(|u| json!({ "pkg": u, "dep_kinds": [{ "kind": null }] })).collect();
            packages.push(json!({
                "id": name, "name": name, "manifest_path": format!("/x/{manifest}"), "dependencies": declared
            }));
            nodes.push(json!({ "id": name, "deps": deps }));
        }
        // A crate of others, which brings sockets along.
        packages.push(json!({ "id": "bytes", "name": "bytes", "dependencies": [] }));
        packages.push(json!({ "id": "socket2", "name": "socket2", "dependencies": [] }));
        nodes.push(json!({ "id": "bytes", "deps": [{ "pkg": "socket2", "dep_kinds": [{ "kind": null }] }] }));
        let members: Vec<&str> = crates.iter().map(|c| c.0).collect();
        json!({ "workspace_members": members, "packages": packages, "resolve": { "nodes": nodes } })
    }

    fn complaints(crates: &[(&str, &str, &[&str])]) -> Vec<String> {
        check(Path::new("/x"), &house(crates)).into_iter().map(|c| c.what).collect()
    }

    #[test]
    fn down_is_allowed() {
        let crates: &[(&str, &str, &[&str])] = &[
            ("model", "crates/model/Cargo.toml", &[]),
            ("hub", "crates/hub/Cargo.toml", &["model"]),
            ("node", "crates/node/Cargo.toml", &["model", "hub", "tokio"]),
            ("transcript", "crates/transcript/Cargo.toml", &["node", "hub"]),
        ];
        assert_eq!(complaints(crates), Vec::<String>::new());
    }

    #[test]
    fn sideways_and_up_are_refused() {
        let crates: &[(&str, &str, &[&str])] = &[
            ("model", "crates/model/Cargo.toml", &[]),
            ("hub", "crates/hub/Cargo.toml", &["dialect"]),
            ("dialect", "crates/dialect/Cargo.toml", &["node"]),
            ("node", "crates/node/Cargo.toml", &[]),
        ];
        let expected = [
            "hub (floor 1) uses dialect (floor 1): sideways",
            "dialect (floor 1) uses node (floor 3): upwards",
        ];
        assert_eq!(complaints(crates), expected);
    }

    #[test]
    fn dialects_know_the_seam_only_and_are_known_by_the_server_only() {
        let crates: &[(&str, &str, &[&str])] = &[
            ("hub", "crates/hub/Cargo.toml", &[]),
            ("a-dialect", "dialects/a/Cargo.toml", &["hub"]),
            ("b-dialect", "dialects/b/Cargo.toml", &["a-dialect"]),
            ("node", "crates/node/Cargo.toml", &["a-dialect"]),
            ("server", "crates/server/Cargo.toml", &["a-dialect", "b-dialect"]),
        ];
        let expected = ["a-dialect uses hub", "b-dialect uses a-dialect", "node uses a-dialect, a dialect"];
        assert_eq!(complaints(crates), expected);
    }

    #[test]
    fn the_workshop_is_not_for_the_product() {
        let crates: &[(&str, &str, &[&str])] = &[
            ("transcript", "crates/transcript/Cargo.toml", &[]),
            ("server", "crates/server/Cargo.toml", &["transcript"]),
            ("extra", "crates/extra/Cargo.toml", &[]),
        ];
        let expected = ["extra stands on no floor", "server uses transcript, which is of the workshop"];
        assert_eq!(complaints(crates), expected);
    }

    #[test]
    fn pure_crates_stay_pure() {
        let crates: &[(&str, &str, &[&str])] = &[("model", "crates/model/Cargo.toml", &["bytes", "serde"])];
        let expected =
            ["model is pure and uses serde; it may use: bytes", "model is pure but reaches bytes → socket2"];
        assert_eq!(complaints(crates), expected);
    }

    #[test]
    fn stems_end_at_a_hyphen() {
        assert!(is_impure("tokio") && is_impure("tokio-util") && is_impure("rand_core"));
        assert!(!is_impure("miow") && !is_impure("randomize") && !is_impure("memchr"));
    }
}
