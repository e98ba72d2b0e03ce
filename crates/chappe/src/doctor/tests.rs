//! Every verdict of every item, from made-up facts; and how findings look.

use super::certificates::{self, date};
use super::facts::Systemd;
use super::finding::{Finding, Verdict, bytes, count};
use super::ports::holder::{self, Holder};
use super::ports::{Port, Spot};
use super::render::{self, Look};
use super::{Group, clock, files, kernel, memory, ports, service};
use Verdict::{Bad, Better, Good, Unknown};
use std::net::SocketAddr;
use std::path::Path;

/// A verdict, words that must be among the reasons, and the beginning of what mends it.
#[track_caller]
fn is(finding: &Finding, verdict: Verdict, says: &str, mend: &str) {
    let right = finding.verdict == verdict && finding.says.contains(says);
    assert!(
        right && finding.mend.starts_with(mend) && finding.mend.is_empty() == mend.is_empty(),
        "{finding:?}"
    );
}

#[test]
fn descriptors() {
    let of = |limit, nr_open| kernel::descriptors(limit, nr_open, 100_000);
    is(&of(None, None), Unknown, "does not say", "");
    is(&of(Some((1024, 200_000)), None), Good, "raised from 1,024", "");
    is(&of(Some((u64::MAX, u64::MAX)), None), Good, "unlimited", "");
    is(
        &of(Some((20_000, 20_000)), Some(1 << 20)),
        Better,
        "room for 19,744",
        "sudo prlimit --pid $$ --nofile=100256:",
    );
    is(&of(Some((1024, 1024)), Some(1 << 20)), Bad, "1,024: room for 768", "sudo prlimit");
    is(
        &of(Some((1024, 1024)), Some(4096)),
        Bad,
        "",
        "sudo sysctl -w fs.nr_open=100256   # 4,096 now\nsudo prlimit",
    );
}

#[test]
fn the_kernels_queues() {
    is(&kernel::somaxconn(4096), Good, "4,096", "");
    is(&kernel::somaxconn(128), Better, "128 connections", "sudo sysctl -w net.core.somaxconn=4096");
    is(&kernel::syn_backlog(8192), Good, "8,192", "");
    is(
        &kernel::syn_backlog(512),
        Better,
        "512 handshakes",
        "sudo sysctl -w net.ipv4.tcp_max_syn_backlog=4096",
    );
    is(&kernel::port_range((32_768, 60_999)), Good, "28,232", "");
    let mend = "sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"";
    is(&kernel::port_range((50_000, 60_000)), Better, "10,001", mend);
}

#[test]
fn files_and_tracking_of_the_machine() {
    is(&kernel::machine_files((2000, u64::MAX), 1000), Good, "unlimited", "");
    is(
        &kernel::machine_files((2000, 50_000), 100_000),
        Better,
        "50,000",
        "sudo sysctl -w fs.file-max=204512",
    );
    is(&kernel::machine_files((2000, 5000), 100_000), Bad, "2,000 are", "sudo sysctl");
    is(&kernel::conntrack((10, 262_144), 1000), Good, "262,144", "");
    is(
        &kernel::conntrack((10, 65_536), 100_000),
        Better,
        "65,536",
        "sudo sysctl -w net.netfilter.nf_conntrack_max=100010",
    );
    is(&kernel::conntrack((60_000, 65_536), 1000), Bad, "about to be dropped", "sudo sysctl");
}

const GIB: u64 = 1 << 30;

#[test]
fn memory_and_cores() {
    is(&memory::budget(None, None, GIB), Unknown, "does not say", "");
    is(&memory::budget(Some(8 * GIB), Some(7 * GIB), 2 * GIB), Good, "2.0 GiB of 8.0 GiB", "");
    is(&memory::budget(Some(8 * GIB), Some(GIB), 2 * GIB), Better, "others have left 1.0 GiB", "");
    let mend = "export CHAPPE__LIMITS__MEMORY_BUDGET=2147483648";
    is(&memory::budget(Some(8 * GIB), None, 5 * GIB), Better, "more than half", mend);
    is(&memory::budget(Some(8 * GIB), None, 8 * GIB), Bad, "end the server first", mend);
    is(&memory::group(4 * GIB, GIB), Good, "the control group may have 4.0 GiB", "");
    is(
        &memory::group(4 * GIB, 3 * GIB),
        Better,
        "3.0 GiB",
        "export CHAPPE__LIMITS__MEMORY_BUDGET=1073741824",
    );
    is(&memory::group(GIB, 2 * GIB), Bad, "end the server first", "export");
    is(&memory::tcp(GIB), Good, "1.0 GiB", "");
    is(&memory::tcp(GIB / 64), Better, "16.0 MiB", "sudo sysctl -w net.ipv4.tcp_mem=\"");
    assert_eq!((memory::overcommit(0), memory::overcommit(1)), (None, None));
    is(&memory::overcommit(2).unwrap(), Better, "counts as used", "sudo sysctl -w vm.overcommit_memory=0");
    is(&memory::shards(4, 4), Good, "4 shards for 4 cores", "");
    is(&memory::shards(1, 1), Good, "1 shard for 1 core", "");
    is(&memory::shards(2, 16), Better, "16 shards for 2 cores", "export CHAPPE__SHARDS=2");
}

#[test]
fn services() {
    const MEND: &str = "sudo mkdir -p /etc/systemd/system/chappe.service.d\n\
                        printf '[Service]\\nLimitNOFILE=100256\\n' | sudo tee /etc";
    let of = |unit, descriptors| service::descriptors(&Systemd { unit, descriptors }, 100_000);
    is(&of(true, None), Unknown, "does not say", "");
    is(&of(true, Some(u64::MAX)), Good, "chappe.service", "");
    is(&of(false, Some(524_288)), Good, "a service without LimitNOFILE", "");
    is(&of(false, Some(50_000)), Better, "50,000 descriptors", MEND);
    is(&of(true, Some(1024)), Bad, "1,024 descriptors", MEND);
}

#[test]
fn clocks() {
    is(&clock::time(1_800_000_000_000), Good, "2027-01-15", "");
    is(&clock::time(5), Bad, "it is 1970-01-01 here, which cannot be", "sudo timedatectl");
    is(&clock::kept(Some("chronyd")), Good, "chronyd keeps", "");
    is(&clock::kept(None), Unknown, "timedatectl", "");
}

#[test]
fn certificate_chains() {
    let of = |subject: &str, issuer: &str, from: u64, to: u64| certificates::Facts {
        subject: subject.into(),
        issuer: issuer.into(),
        from,
        to,
    };
    const DAY: u64 = 86_400;
    let now = 20_000 * DAY;
    let judge = |chain: &[certificates::Facts]| certificates::judge(Path::new("/x/a.pem"), chain, now);
    let own = of("CN=a", "CN=ca", 0, now + 90 * DAY);
    let ca = of("CN=ca", "CN=root", 0, now + 900 * DAY);
    is(&judge(&[own.clone(), ca.clone()]), Good, "valid for 90 more days, until 2025-01-02", "");
    is(&judge(&[]), Bad, "no certificate", "");
    is(&judge(&[of("CN=a", "CN=ca", 0, now - 3 * DAY)]), Bad, "expired 3 days ago", "");
    is(&judge(&[of("CN=a", "CN=ca", 0, now)]), Bad, "expired 0 days ago", "");
    is(&judge(&[of("CN=a", "CN=ca", now + 1, now + 9 * DAY)]), Bad, "is valid only from", "");
    is(&judge(&[of("CN=a", "CN=ca", 0, now + 13 * DAY)]), Better, "valid for 13 more days", "");
    is(&judge(&[of("CN=a", "CN=ca", 0, now + 14 * DAY)]), Good, "valid for 14 more days", "");
    is(&judge(&[own.clone(), of("CN=ca", "CN=r", 0, now - DAY)]), Bad, "(that of CN=ca)", "");
    is(&judge(&[ca, own]), Better, "has not issued it", "");
    is(&judge(&[of("CN=a", "CN=a", 0, now + 90 * DAY)]), Better, "vouches for itself", "");
    assert_eq!(date(0), "1970-01-01");
}

#[test]
fn modes_of_secrets() {
    let of = |mode| files::judge("token file", Path::new("/x/a.token"), mode);
    is(&of(0o600), Good, "600", "");
    is(&of(0o640), Good, "640", "");
    is(&of(0o620), Better, "its group", "chmod g-w /x/a.token");
    is(&of(0o644), Bad, "644: everybody", "chmod o= /x/a.token");
    is(&of(0o602), Bad, "602", "chmod");
}

#[test]
fn ports_and_their_holders() {
    let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let of = |port: &Port, optional| ports::judge("x", address, port, optional, "listener.address");
    let held = |is_chappe, process: Option<(u32, &str)>| {
        Port::Taken(Holder { process: process.map(|(pid, name)| (pid, name.to_owned())), is_chappe })
    };
    is(&of(&Port::Free, false), Good, "free", "");
    is(&ports::judge("x", "[::]:0".parse().unwrap(), &Port::Free, false, ""), Good, "the system chooses", "");
    is(&of(&held(true, Some((7, "chappe"))), false), Good, "held by chappe (pid 7), which runs", "");
    is(&of(&held(true, None), false), Good, "held by a chappe", "");
    is(
        &of(&held(false, Some((7, "nginx"))), false),
        Bad,
        "taken by nginx (pid 7); stop it",
        "sudo ss -ltunp 'sport = :80'",
    );
    is(&of(&held(false, None), true), Better, "taken by another program", "sudo ss");
    is(&of(&Port::NotAllowed, false), Bad, "port 80 needs a right", "sudo setcap");
    is(&of(&Port::NoSuchAddress, true), Good, "left out", "");
    is(&of(&Port::NoSuchAddress, false), Bad, "no such address", "ip address");
    is(&of(&Port::Strange("odd".into()), false), Bad, "odd", "");
    let spot = |spot: &Spot| ports::judge_unix("x", Path::new("/run/c/s.sock"), spot);
    is(&spot(&Spot::Free), Good, "can be written to", "");
    is(&spot(&Spot::Left), Good, "nobody listens", "");
    is(&spot(&Spot::Taken), Better, "somebody listens", "sudo ss -lxp src /run/c/s.sock");
    is(&spot(&Spot::NoSocket), Bad, "no socket", "ls -l /run/c/s.sock");
    is(&spot(&Spot::NoFolder), Bad, "no folder /run/c", "sudo install -d -o");
    is(&spot(&Spot::NotWritable("no".into())), Bad, "/run/c cannot be written to: no", "sudo chown");
}

#[test]
fn tables_of_the_kernel_and_answers() {
    // The tables hold addresses in the machine's order of bytes.
    let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
    let loopback = word([127, 0, 0, 1]);
    let row = |n: u32, ip: &str, state: &str, inode: u32| {
        format!(
            "  {n}: {ip}:1AE9 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0\n"
        )
    };
    let any = "0".repeat(32);
    let table = format!(
        "  sl  local_address\n{}{}{}",
        row(0, &loopback, "0A", 11),
        row(1, &loopback, "01", 12),
        row(2, &any, "0A", 13)
    );
    let of = |address: &str| holder::listening(&table, address.parse().unwrap());
    assert_eq!(of("127.0.0.1:6889"), ["11", "13"]);
    assert_eq!(of("127.0.0.2:6889"), ["13"]);
    assert_eq!(of("127.0.0.1:6890"), Vec::<String>::new());
    assert!(holder::is_chappe("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"status\":\"ok\"}"));
    assert!(!holder::is_chappe("HTTP/1.1 200 OK\r\n\r\nhello") && !holder::is_chappe(""));
}

#[test]
fn numbers_for_people() {
    assert_eq!((count(7), count(1000), count(1_048_576)), ("7".into(), "1,000".into(), "1,048,576".into()));
    assert_eq!((bytes(7), bytes(1536), bytes(GIB)), ("7 bytes".into(), "1.5 KiB".into(), "1.0 GiB".into()));
}

#[test]
fn looks() {
    let of = |terminal, variables: &[(&str, &str)]| {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let look = Look::of(terminal, variable);
        (look.marks, look.colours)
    };
    assert_eq!(of(true, &[("LANG", "de_DE.UTF-8")]), (true, true));
    assert_eq!(of(true, &[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")]), (false, true));
    assert_eq!(of(true, &[("LANG", "C.utf8"), ("NO_COLOR", "1")]), (true, false));
    assert_eq!(of(true, &[("TERM", "dumb"), ("NO_COLOR", "")]), (false, false));
    assert_eq!(of(false, &[("LANG", "de_DE.UTF-8")]), (false, false));
}

#[test]
fn findings_are_aligned_and_wrapped() {
    let long = "word ".repeat(30);
    let findings = vec![
        Finding::good("a", "fine"),
        Finding::bad("an item", long.trim()).mend("do this"),
        Finding::better("i".repeat(40), "said below"),
    ];
    let groups = [Group { title: "Title", findings }];
    let text = render::text(&groups, Look { marks: true, colours: false });
    let expected = format!(
        "Title\n  ✓ a        fine\n  ✗ an item  {w17}\n{i}{w13}\n{i}do this\n  ! {}\n{i}said below\n\n1 good, 1 could be better, 1 bad\n",
        "i".repeat(40),
        w17 = ["word"; 17].join(" "),
        w13 = ["word"; 13].join(" "),
        i = " ".repeat(13),
    );
    assert_eq!(text, expected);
    let coloured = render::text(&groups, Look { marks: false, colours: true });
    assert!(coloured.contains("\x1b[31mBAD   \x1b[0m an item"), "{coloured:?}");
    let json: serde_json::Value = serde_json::from_str(&render::json(&groups)).unwrap();
    assert_eq!((&json["bad"], &json["findings"][1]["mend"][0]), (&true.into(), &"do this".into()));
}
