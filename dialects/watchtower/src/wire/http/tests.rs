//! Requests, right and wrong, and what is written for answers.

use super::*;
use body::Said;

fn request<'a>(method: &'a str, target: &'a str, body: &'a str) -> Request<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request { method, path, query, headers: &[], body: body.as_bytes(), wants_websocket: false }
}

/// What is asked for, in short; or the status and the words of the answer.
fn asked(method: &str, target: &str, body: &str) -> Result<String, (u16, String)> {
    match ask(&request(method, target, body), 3) {
        Ok(Ask::Register(secret)) => Ok(format!("register {secret:?}")),
        Ok(Ask::AsSender(sender, wish)) => Ok(format!("{} {wish:?}", sender.id)),
        Err(problem) => Err((problem.status, problem.detail.into_owned())),
    }
}

#[test]
fn each_address_has_its_request() {
    let said = "Speech { message: Text(\"m\"), event: None }";
    for (method, target, body, expected) in [
        ("POST", "/register", r#"{"secret_key":"s"}"#, r#"register Some("s")"#.to_owned()),
        ("POST", "/register", "{}", "register None".to_owned()),
        ("POST", "/unregister", r#"{"sender":72}"#, "72 Unregister".to_owned()),
        ("GET", "/channels?sender=72", "", "72 List".to_owned()),
        ("HEAD", "/channels?sender=72", "", "72 List".to_owned()),
        ("GET", "/channels/join?channels=5,6,5&sender=72", "", "72 Listen([5, 6])".to_owned()),
        ("GET", "/channels/join/5?sender=72", "", "72 Listen([5])".to_owned()),
        ("GET", "/channels/join/5%2C6?sender=72", "", "72 Listen([5, 6])".to_owned()),
        ("POST", "/channels/leave", r#"{"sender":"72","channels":["5",6]}"#, "72 Leave([5, 6])".to_owned()),
        (
            "POST",
            "/broadcast",
            r#"{"sender":72,"channels":[5],"message":"m"}"#,
            format!("72 Broadcast([5], {said})"),
        ),
        (
            "POST",
            "/send",
            r#"{"sender":72,"channels":[5],"receivers":[52,34,52],"message":"m"}"#,
            format!("72 Send([5], [PrincipalId(52), PrincipalId(34)], {said})"),
        ),
        (
            "POST",
            "/channels/join/async",
            r#"{"sender":72,"channels":[5],"callback_url":"http://x/"}"#,
            "72 BeCalled { channels: [5], url: \"http://x/\", secret: None }".to_owned(),
        ),
    ] {
        assert_eq!(asked(method, target, body), Ok(expected), "{target} {body}");
    }
}

type Wrong = (&'static str, &'static str, &'static str, (u16, &'static str));

const SENDER: (u16, &str) = (401, "invalid or missing sender");

fn named(rows: &[Wrong]) {
    for (method, target, body, (status, says)) in rows {
        let (found, words) = asked(method, target, body).unwrap_err();
        assert!(found == *status && words.contains(says), "{method} {target} {body}: {found} {words}");
    }
}

#[test]
fn what_is_wrong_with_an_address_is_named() {
    named(&[
        ("GET", "/register", "", (405, "POST")),
        ("POST", "/channels", "", (405, "GET, HEAD")),
        ("HEAD", "/channels/join/5", "", (405, "GET")),
        ("GET", "/channels/join/async?sender=72", "", (405, "POST")),
        ("GET", "/channels/other", "", (404, "nothing here")),
        ("GET", "/channels/joint?sender=72", "", (404, "nothing here")),
        ("GET", "/channels/join/?sender=72", "", (404, "nothing here")),
        ("GET", "/channels", "", SENDER),
        ("GET", "/channels?sender=", "", SENDER),
        ("GET", "/channels?sender=0", "", SENDER),
        ("GET", "/channels?sender=x", "", SENDER),
        ("GET", "/channels?sender=4294967296", "", SENDER),
        ("GET", "/channels/join/5", "", SENDER),
        ("GET", "/channels/join?sender=72", "", (400, "`channels` is missing")),
        ("GET", "/channels/join?channels=&sender=72", "", (400, "`channels` is missing")),
        ("GET", "/channels/join/5,x?sender=72", "", (400, "`x` is no channel")),
        ("GET", "/channels/join/5,?sender=72", "", (400, "`` is no channel")),
        ("GET", "/channels/join/-5?sender=72", "", (400, "`-5` is no channel")),
        ("GET", "/channels/join/0?sender=72", "", (400, "0, which is no channel")),
        ("GET", "/channels/join/%ff?sender=72", "", (400, "`channels` is missing")),
        ("GET", "/channels/join/1,2,3,4?sender=72", "", (400, "longer than 3")),
    ]);
}

#[test]
fn what_is_wrong_with_a_body_is_named() {
    named(&[
        ("POST", "/register", "", (400, "the body is not JSON: EOF")),
        ("POST", "/register", "{\n\"secret_key\" 1}", (400, "at line 2 column 14")),
        ("POST", "/register", "[\"s\"]", (400, "must be a JSON object")),
        ("POST", "/register", r#"{"secret_key":5}"#, (400, "`secret_key` must be a string")),
        (
            "POST",
            "/register",
            r#"{"secret_key":"a","secret_key":"b"}"#,
            (400, "duplicate field `secret_key`"),
        ),
        ("POST", "/unregister", "{}", SENDER),
        ("POST", "/unregister", r#"{"sender":null}"#, SENDER),
        ("POST", "/unregister", r#"{"sender":-1}"#, SENDER),
        ("POST", "/unregister", r#"{"sender":7.5}"#, SENDER),
        ("POST", "/unregister", r#"{"sender":"0"}"#, SENDER),
        ("POST", "/unregister", r#"{"sender":"x"}"#, (400, "`sender` must be the number")),
        ("POST", "/unregister", r#"{"sender":[72]}"#, (400, "`sender` must be the number")),
        ("POST", "/channels/leave", r#"{"sender":72}"#, (400, "`channels` is missing")),
        ("POST", "/channels/leave", r#"{"sender":72,"channels":5}"#, (400, "`channels` must be a list")),
        (
            "POST",
            "/channels/leave",
            r#"{"sender":72,"channels":[5,"x"]}"#,
            (400, "`channels` must be a list"),
        ),
        ("POST", "/channels/leave", r#"{"sender":72,"channels":[]}"#, (400, "`channels` is empty")),
        ("POST", "/channels/leave", r#"{"sender":72,"channels":[1,2,3,4]}"#, (400, "longer than 3")),
        ("POST", "/broadcast", r#"{"sender":72,"channels":[5]}"#, (400, "`message` is missing")),
        (
            "POST",
            "/broadcast",
            r#"{"sender":72,"channels":[5],"message":1,"event":2}"#,
            (400, "`event` must be"),
        ),
        ("POST", "/broadcast", r#"{"sender":72,"channels":[5],"message":1,"event":"a\n"}"#, (400, "control")),
        ("POST", "/send", r#"{"sender":72,"channels":[5],"message":1}"#, (400, "`receivers` is missing")),
        (
            "POST",
            "/send",
            r#"{"sender":72,"channels":[5],"receivers":[0],"message":1}"#,
            (400, "receivers have not"),
        ),
        ("POST", "/channels/join/async", r#"{"sender":72,"channels":[5]}"#, (400, "invalid callback URL")),
        (
            "POST",
            "/channels/join/async",
            r#"{"sender":72,"channels":[5],"callback_url":{}}"#,
            (400, "`callback_url` must be a string"),
        ),
    ]);
}

#[test]
fn a_string_is_its_text_and_all_else_stays_as_it_was_written() {
    let said = |message: &str| {
        let body = format!(r#"{{"sender":72,"channels":[5],"message":{message}}}"#);
        match ask(&request("POST", "/broadcast", &body), 3) {
            Ok(Ask::AsSender(_, Wish::Broadcast(_, speech))) => speech.message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(said(r#""a\u00fc\n""#), Said::Text("aü\n".into()));
    for json in ["1.50", "null", "[1, 2]", r#"{"b":1,"a":2}"#, r#""\ud800""#] {
        assert_eq!(said(json), Said::Json(json.into()));
    }
}

#[test]
fn messages_are_one_line() {
    let mut out = Vec::new();
    heard(
        Heard { channel: 5, sender: 72, event: Some("a\"b") },
        |out| out.extend_from_slice(b"[1,\r\n2]"),
        &mut out,
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"channel":5,"sender":72,"message":[1,  2],"content":[1,  2],"event":"a\"b"}"#
    );
}
