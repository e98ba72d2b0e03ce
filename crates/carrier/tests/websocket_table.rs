//! What frames are read as, and what is refused with which code: the ground of the Autobahn test suite,
//! groups 1 to 7.

mod websocket_common;

use carrier::websocket::Role;
use model::Limits;
use websocket_common::{
    BINARY, BINARY_BEGINS, CLOSE, LAST, MIDDLE, PING, PONG, TEXT, TEXT_BEGINS, frame, frames, read,
    read_every_way, to,
};

fn check(name: &str, raw: &[u8], expected: &[&str]) {
    assert_eq!(read_every_way(Role::Server, raw, &Limits::default()), expected, "{name}");
}

const TOO_LONG: &str = "1002 a control frame that is too long";
const SPLIT: &str = "1002 a fragmented control frame";
const LONGER: &str = "1002 a length in a longer form than it needs";
const NOT_UTF8: &str = "1007 text that is not UTF-8";
const BIT: &str = "1002 a reserved bit without an extension";
const OPCODE: &str = "1002 a reserved opcode";
const NOTHING: &str = "1002 a continuation of nothing";
const WITHIN: &str = "1002 a new message within another";

/// Groups 1 and 2: messages of every length form, pings and pongs.
#[test]
fn messages_and_pings() {
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 200_000] {
        let text = "*".repeat(length);
        check("text", &frame(TEXT, text.as_bytes()), &[&format!("text {text}")]);
        let bytes = vec![0xfe; length];
        check("binary", &frame(BINARY, &bytes), &[&format!("binary {}", "\\xfe".repeat(length))]);
    }
    check("a ping", &frame(PING, b""), &["ping "]);
    check("a ping of bytes", &frame(PING, b"\x00\xff"), &["ping \\x00\\xff"]);
    check("125", &frame(PING, &[b'x'; 125]), &[&format!("ping {}", "x".repeat(125))]);
    check("126", &frame(PING, &[b'x'; 126]), &[TOO_LONG]);
    check("an unasked pong", &frames(&[(PONG, b"a"), (PING, b"b")]), &["pong a", "ping b"]);
    let many: Vec<u8> = (0..10).flat_map(|_| frame(PING, b"x")).collect();
    check("ten", &many, &["ping x"; 10]);
}

/// Groups 3 and 4: reserved bits and opcodes, alone and after others.
#[test]
fn reserved() {
    for bits in 1..8_u8 {
        check("bits", &frames(&[(TEXT, b"a"), (TEXT | (bits << 4), b"b"), (PING, b"")]), &["text a", BIT]);
        check("bits of a ping", &frame(PING | (bits << 4), b""), &[BIT]);
    }
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        check("opcode", &frames(&[(TEXT, b"a"), (0x80 | opcode, b""), (PING, b"")]), &["text a", OPCODE]);
        check("opcode, not final", &frame(opcode, b"x"), &[OPCODE]);
    }
}

/// Group 5: fragments.
#[test]
fn fragments() {
    check("two", &frames(&[(TEXT_BEGINS, b"a"), (LAST, b"b")]), &["text ab"]);
    check("bytes", &frames(&[(BINARY_BEGINS, b"\xff"), (MIDDLE, b""), (LAST, b"b")]), &["binary \\xffb"]);
    check("of nothing", &frames(&[(TEXT_BEGINS, b""), (MIDDLE, b""), (LAST, b"")]), &["text "]);
    check(
        "a ping between",
        &frames(&[
            (TEXT_BEGINS, b"a"),
            (PING, b"p"),
            (MIDDLE, b"b"),
            (PONG, b"q"),
            (LAST, b"c"),
            (TEXT, b"d"),
        ]),
        &["ping p", "pong q", "text abc", "text d"],
    );
    check("a close between", &frames(&[(TEXT_BEGINS, b"a"), (CLOSE, b"")]), &["close"]);
    check("cut", &frames(&[(TEXT_BEGINS, b"a"), (PING, b"")]), &["ping ", "…"]);
    check("a ping in two", &frames(&[(PING & 0x0F, b"a"), (LAST, b"b")]), &[SPLIT]);
    check("a pong in two", &frame(PONG & 0x0F, b"a"), &[SPLIT]);
    check("a close in two", &frame(CLOSE & 0x0F, b""), &[SPLIT]);
    check("nothing begun, last", &frames(&[(LAST, b"a"), (TEXT, b"b")]), &[NOTHING]);
    check("nothing begun, more", &frame(MIDDLE, b"a"), &[NOTHING]);
    check(
        "after the end",
        &frames(&[(TEXT_BEGINS, b"a"), (LAST, b"b"), (LAST, b"c")]),
        &["text ab", NOTHING],
    );
    check("another begins", &frames(&[(TEXT_BEGINS, b"a"), (TEXT_BEGINS, b"b")]), &[WITHIN]);
    check("another, whole", &frames(&[(TEXT_BEGINS, b"a"), (BINARY, b"b")]), &[WITHIN]);
}

/// Group 6: text that is and is not UTF-8, whole, cut by fragments and cut by packets.
#[test]
fn utf8() {
    let valid =
        ["κόσμε", "Hello-µ@ßöäüàá-UTF-8!!", "\0", "\u{7ff}", "\u{ffff}", "\u{10ffff}", "\u{fffd}", "😀é€"];
    for text in valid {
        check(text, &frame(TEXT, text.as_bytes()), &[&format!("text {text}")]);
        for cut in 0..=text.len() {
            let (front, back) = text.as_bytes().split_at(cut);
            let raw = frames(&[(TEXT_BEGINS, front), (PING, b""), (LAST, back)]);
            check(text, &raw, &["ping ", &format!("text {text}")]);
        }
    }
    let invalid: &[&[u8]] = &[
        b"\x80",
        b"\xbf",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xc3",
        b"\xc3(",
        b"\xe2\x82",
        b"\xe2(\xa1",
        b"\xe0\x80\xaf",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xaf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
        b"\xf0\x9f\x98",
        b"\xf0\x80\x80\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"long enough for the wide path \xff and more",
    ];
    for bytes in invalid {
        check("not text", &frame(TEXT, bytes), &[NOT_UTF8]);
        for cut in 0..=bytes.len() {
            let (front, back) = bytes.split_at(cut);
            check("not text, in two", &frames(&[(TEXT_BEGINS, front), (LAST, back)]), &[NOT_UTF8]);
        }
        check("in a close", &frame(CLOSE, &[b"\x03\xe8", *bytes].concat()), &[NOT_UTF8]);
        assert_eq!(
            read(Role::Server, std::iter::once(frame(BINARY, bytes).as_slice()), &Limits::default()).len(),
            1
        );
    }
}

/// Group 6.4: the fault is found at the byte that shows it, long before the frame or the message ends.
#[test]
fn bad_text_fails_at_once() {
    let good = "κόσμε".as_bytes();
    let bad = [good, b"\xf4\x90"].concat();
    let limits = Limits::default();
    let heard = |raw: &[u8]| read(Role::Server, raw.chunks(1), &limits);
    let mut fragmented = frame(TEXT_BEGINS, good);
    fragmented.extend(frame(MIDDLE, b"\xf4"));
    assert_eq!(heard(&fragmented), ["…"]);
    fragmented.extend(frame(MIDDLE, b"\x90"));
    assert_eq!(heard(&fragmented), [NOT_UTF8]);

    let whole = frame(TEXT, &[bad.as_slice(), &[b'x'; 60]].concat());
    let header = 6;
    assert_eq!(heard(&whole[..header + bad.len() - 1]), ["…"]);
    assert_eq!(heard(&whole[..header + bad.len()]), [NOT_UTF8]);
}

/// Group 7: closes.
#[test]
fn closes() {
    check("without a code", &frame(CLOSE, b""), &["close"]);
    check("one byte", &frame(CLOSE, b"\x03"), &["1002 a close frame of one byte"]);
    check("a reason", &frame(CLOSE, b"\x0f\xa0\xc3\xa9"), &["close 4000 é"]);
    let longest = [b"\x03\xe8".as_slice(), &[b'*'; 123]].concat();
    check("the longest reason", &frame(CLOSE, &longest), &[&format!("close 1000 {}", "*".repeat(123))]);
    check("a longer one", &frame(CLOSE, &[longest.as_slice(), b"*"].concat()), &[TOO_LONG]);
    check(
        "what follows",
        &frames(&[(CLOSE, b"\x03\xe8bye"), (TEXT, b"a"), (0xFF, b"")]),
        &["close 1000 bye"],
    );
    let valid =
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
    for code in valid {
        check("valid", &frame(CLOSE, &u16::to_be_bytes(code)), &[&format!("close {code} ")]);
    }
    let invalid = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    for code in invalid {
        check("invalid", &frame(CLOSE, &u16::to_be_bytes(code)), &["1002 an invalid close code"]);
    }
}

#[test]
fn lengths_and_masks() {
    let key = [1, 2, 3, 4];
    let long = |first: u8, short: u8, length: &[u8]| [&[first, 0x80 | short], length, &key].concat();
    check("126 for 125", &long(TEXT, 126, &125_u16.to_be_bytes()), &[LONGER]);
    check("127 for 65535", &long(TEXT, 127, &65_535_u64.to_be_bytes()), &[LONGER]);
    check(
        "the top bit",
        &long(BINARY, 127, &(1_u64 << 63).to_be_bytes()),
        &["1002 a length with its top bit set"],
    );
    check("all bits", &long(BINARY, 127, &u64::MAX.to_be_bytes()), &["1002 a length with its top bit set"]);
    check("huge", &long(BINARY, 127, &(u64::MAX >> 1).to_be_bytes()), &["1009 the message is too large"]);
    check("a huge ping", &long(PING, 127, &(1_u64 << 40).to_be_bytes()), &[TOO_LONG]);
    check("unmasked", &to(Role::Client, TEXT, b"a"), &["1002 a frame without a mask"]);
    check("half a header", &[TEXT], &["…"]);
    let limits = Limits::default();
    let masked = read_every_way(Role::Client, &frame(TEXT, b"a"), &limits);
    assert_eq!(masked, ["1002 a masked frame from a server"]);
    let unmasked = [to(Role::Client, TEXT, b"a"), to(Role::Client, BINARY, &[b'b'; 300])].concat();
    assert_eq!(
        read_every_way(Role::Client, &unmasked, &limits),
        ["text a", &format!("binary {}", "b".repeat(300))]
    );
}

#[test]
fn limits() {
    let limits = Limits { message_bytes: 10, fragments: 3, ..Limits::default() };
    let large = "1009 the message is too large";
    let check = |name: &str, raw: &[u8], expected: &[&str]| {
        assert_eq!(read_every_way(Role::Server, raw, &limits), expected, "{name}");
    };
    check("10", &frame(TEXT, b"0123456789"), &["text 0123456789"]);
    check("11", &frame(TEXT, b"0123456789a"), &[large]);
    check("11, only announced", &frame(BINARY, b"0123456789a")[..6], &[large]);
    check("10 in two", &frames(&[(TEXT_BEGINS, b"01234"), (LAST, b"56789")]), &["text 0123456789"]);
    check("11 in two", &frames(&[(TEXT_BEGINS, b"012345"), (LAST, b"56789")]), &[large]);
    check("11 with a cut character", &frames(&[(TEXT_BEGINS, b"01234567\xc3"), (LAST, b"\xa9x")]), &[large]);
    check("a ping is no message", &frame(PING, b"0123456789a"), &["ping 0123456789a"]);
    check(
        "three",
        &frames(&[(TEXT_BEGINS, b"a"), (MIDDLE, b""), (LAST, b"b"), (TEXT, b"c")]),
        &["text ab", "text c"],
    );
    let four = frames(&[(TEXT_BEGINS, b""), (MIDDLE, b""), (MIDDLE, b""), (MIDDLE, b"")]);
    check("four", &four, &["1008 a message of too many fragments"]);
}
