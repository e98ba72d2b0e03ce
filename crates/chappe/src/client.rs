//! The HTTP client of `pub` and `sub`: which server, what is shown to it, and what its refusals mean in words.
//!
//! Speaks the plain HTTP dialect by its `SPEC.md`. Refuses to know what becomes of messages.

use crate::cli::{Reach, Secret};
use crate::ending::Trouble;
use crate::terminal::harmless;
use crate::trust;
use serde::Deserialize;
use std::fmt::Write;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::uri::Scheme;
use ureq::http::{HeaderValue, Response, StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, RequestBuilder};

/// Time for a connection, and for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that says no; one of ours is much shorter.
const PROBLEM_MAX: u64 = 64 << 10;

/// A server, and how to speak to it.
pub(crate) struct Client {
    agent: Agent,
    /// Scheme, host, port, and the path before `/c`, without a slash at its end.
    base: String,
    authorization: Option<HeaderValue>,
}

/// Why a request had no good answer.
pub(crate) struct Failure {
    pub(crate) trouble: Trouble,
    /// Whether the same may go well in a while.
    pub(crate) passing: bool,
}

impl Client {
    /// A client of the server that was named.
    pub(crate) fn new(reach: &Reach) -> Result<Self, Trouble> {
        let (base, uri) = base(&reach.url()?)?;
        let authorization = reach.token()?.map(|token| bearer(&token)).transpose()?;
        let roots = match &reach.ca {
            Some(file) => {
                let found = trust::certificates(file)?;
                found.iter().map(|c| Certificate::from_der(c).to_owned()).collect::<Vec<_>>().into()
            }
            None => RootCerts::WebPki,
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(trust::provider())
            .root_certs(roots)
            .build();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A token goes where it was told to go and nowhere else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("chappe/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .tls_config(tls);
        if is_loopback(&uri) {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().new_agent(), base, authorization })
    }

    /// The server as errors call it.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Publishes a body, and gives the server's answer.
    pub(crate) fn publish(
        &self,
        channel: &str,
        (event, media): (Option<&HeaderValue>, Option<&str>),
        body: &[u8],
    ) -> Result<String, Failure> {
        // A server that begins and goes no further is as silent as one that does not begin.
        let request = self.agent.post(self.url(&[channel])).config();
        let request = request.timeout_per_write(Some(PATIENCE)).timeout_recv_body(Some(PATIENCE)).build();
        let mut request = self.shown(request);
        if let Some(event) = event {
            request = request.header("X-Event", event);
        }
        if let Some(media) = media {
            request = request.header("Content-Type", media);
        }
        let answer = request.send(body).map_err(|e| self.unreachable(e))?;
        let mut answer = self.granted(answer)?;
        let body = answer.body_mut().with_config().limit(PROBLEM_MAX).read_to_string();
        body.map_err(|e| self.unreachable(e))
    }

    /// Opens a stream of NDJSON; `silence` ends it when nothing comes for so long.
    pub(crate) fn listen(
        &self,
        channels: &[&str],
        since: Option<&str>,
        silence: Option<Duration>,
    ) -> Result<Body, Failure> {
        let mut url = self.url(channels);
        if let Some(since) = since {
            url.push_str("?since=");
            encode(since, &mut url);
        }
        let request = self.shown(self.agent.get(url)).config().timeout_per_read(silence).build();
        let answer = request.call().map_err(|e| self.unreachable(e))?;
        let answer = self.granted(answer)?;
        let media = answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !media.starts_with("application/x-ndjson") {
            return Err(lasting(self.no_chappe()));
        }
        Ok(answer.into_body())
    }

    fn url(&self, channels: &[&str]) -> String {
        let mut url = format!("{}/c/", self.base);
        for (i, channel) in channels.iter().enumerate() {
            if i > 0 {
                url.push(',');
            }
            encode(channel, &mut url);
        }
        url
    }

    fn shown<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.authorization {
            Some(value) => request.header("Authorization", value),
            None => request,
        }
    }

    /// The answer, unless it says no.
    fn granted(&self, mut answer: Response<Body>) -> Result<Response<Body>, Failure> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        if status.is_redirection() {
            let location = answer.headers().get("location").and_then(|v| v.to_str().ok()).unwrap_or("?");
            let location = harmless(location);
            return Err(lasting(format!("{} points to {location}: name that with --url", self.base)));
        }
        // A body that cannot be read leaves the status.
        let body = answer.body_mut().with_config().limit(PROBLEM_MAX).read_to_string().unwrap_or_default();
        let trouble = Trouble::failed(self.refusal(status, &body));
        Err(Failure { trouble, passing: status.is_server_error() || status.as_u16() == 429 })
    }

    /// The server's own words (RFC 9457), and what may help.
    fn refusal(&self, status: StatusCode, body: &str) -> String {
        #[derive(Deserialize)]
        struct Problem {
            detail: Option<String>,
        }
        let problem: Option<Problem> = serde_json::from_str(body).ok();
        let code = status.as_u16();
        let name = status.canonical_reason().unwrap_or("no name");
        let mut words = format!("{} refuses", self.base);
        let detail = problem.and_then(|p| p.detail);
        // Writing to a string cannot fail.
        match &detail {
            Some(detail) => write!(words, ": {} ({code} {name})", harmless(detail)).ok(),
            None => write!(words, " with {code} {name}").ok(),
        };
        match (code, &self.authorization) {
            (401, None) => words.push_str("; a token may help: --token or CHAPPE_TOKEN"),
            (404, _) if detail.is_none() => words.push_str("; is that a chappe? See --url"),
            _ => {}
        }
        words
    }

    fn no_chappe(&self) -> String {
        format!("what answers at {} is no chappe: name another with --url", self.base)
    }

    /// What became of a request that had no answer.
    #[expect(clippy::wildcard_enum_match_arm, reason = "errors of others, few of which have a remedy")]
    fn unreachable(&self, e: ureq::Error) -> Failure {
        let base = &self.base;
        let words = match e {
            ureq::Error::Io(e) if e.kind() == ErrorKind::ConnectionRefused => format!(
                "nothing listens at {base}: start a server with `chappe serve`, or name another with --url"
            ),
            ureq::Error::HostNotFound => format!("nobody knows the host of {base}: name another with --url"),
            ureq::Error::Timeout(_) => {
                format!("{base} does not answer: is the server busy, or another program?")
            }
            ureq::Error::Rustls(e) => return lasting(format!("{base}: {}", distrust(&e))),
            ureq::Error::Io(e) => match e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(e) => return lasting(format!("{base}: {}", distrust(e))),
                None if is_loss(e.kind()) => format!("the connection to {base} was lost: {e}"),
                None => format!("there is no connection to {base}: {e}; is --url right?"),
            },
            ureq::Error::Protocol(_) => return lasting(self.no_chappe()),
            e => format!("{base}: {e}"),
        };
        Failure { trouble: Trouble::failed(words), passing: true }
    }
}

fn is_loss(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}

fn lasting(words: String) -> Failure {
    Failure { trouble: Trouble::failed(words), passing: false }
}

/// Why there is no TLS with this server, and what may help.
#[expect(clippy::wildcard_enum_match_arm, reason = "errors of others, few of which have a remedy")]
fn distrust(e: &rustls::Error) -> String {
    match e {
        // rustls has no name of its own for it.
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(why))
            if why.to_string().contains("CaUsedAsEndEntity") =>
        {
            "the server shows the certificate of a CA, which is none for a server: make one with \
             `basicConstraints=CA:FALSE`"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(why) => {
            format!("the certificate is not trusted ({why:?}): name the CA that signed it with --ca FILE")
        }
        rustls::Error::InvalidMessage(_) => "what answers does not speak TLS: try http:// instead".to_owned(),
        other => format!("TLS fails: {other}"),
    }
}

/// An event's name as a header value.
pub(crate) fn event(name: &str) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_bytes(name.as_bytes())
        .map_err(|_| Trouble::usage("--event: a name has no control characters"))
}

/// The token as it is shown; kept out of whatever prints headers.
pub(crate) fn bearer(token: &Secret) -> Result<HeaderValue, Trouble> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(|_| {
        Trouble::usage("the token has a line break or another character that no header carries")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads where a server is.
fn base(url: &str) -> Result<(String, Uri), Trouble> {
    let shape = "write it as http://127.0.0.1:6889 or https://chappe.example";
    // What stands before an `@`, or in a query, may be a secret: it is not repeated.
    if url.contains(['@', '?', '#']) {
        return Err(Trouble::usage(format!(
            "the URL of a server has no user, query or fragment: {shape}, and a token with --token"
        )));
    }
    let malformed = || Trouble::usage(format!("`{}` is no URL of a server: {shape}", harmless(url)));
    let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
    // Who copied the address of a WebSocket means the same server.
    let scheme = match scheme {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        _ => return Err(malformed()),
    };
    let base = format!("{scheme}://{}", rest.trim_end_matches('/'));
    let uri: Uri = base.parse().map_err(|_| malformed())?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(malformed());
    }
    debug_assert!(uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS));
    Ok((base, uri))
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// Percent-encodes (RFC 3986 §2.1) all but what is never special in a path; slashes stay, since they belong to
/// names.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~/".contains(&byte) {
            out.push(char::from(byte));
        } else if byte == b'.' && !matches!(text, "." | "..") {
            out.push('.');
        } else {
            // Writing to a string cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::percent;

    #[test]
    fn servers() {
        for (url, expected) in [
            ("http://127.0.0.1:6889", "http://127.0.0.1:6889"),
            ("ws://127.0.0.1:6889/", "http://127.0.0.1:6889"),
            ("wss://chappe.example/below//", "https://chappe.example/below"),
            ("https://[::1]:1", "https://[::1]:1"),
        ] {
            assert_eq!(base(url).unwrap().0, expected);
        }
        for url in ["127.0.0.1:6889", "ftp://a", "http://", "http:///a", "http://a b", "", "http://a:b:c"] {
            assert!(base(url).unwrap_err().words().contains("write it as"), "{url}");
        }
        for url in ["http://me:hush@a", "http://a?token=hush", "http://a/#hush"] {
            assert!(!base(url).unwrap_err().words().contains("hush"), "{url}");
        }
    }

    #[test]
    fn this_machine() {
        let here = |url: &str| is_loopback(&url.parse().unwrap());
        assert!(here("http://localhost:1") && here("http://127.8.0.1") && here("http://[::1]:6"));
        assert!(!here("http://10.0.0.1") && !here("http://localhost.example"));
    }

    #[test]
    fn names_survive_the_path() {
        for name in ["chat", "a/b c", "a,b", "100%", "ü 你好", "?#&+", "..", ".", "a.b", "x\n"] {
            let mut path = String::new();
            encode(name, &mut path);
            assert_eq!(percent::decode(&path).as_deref(), Some(name));
            assert!(path.bytes().all(|b| b.is_ascii_graphic() && !b",?#".contains(&b)), "{path}");
        }
    }

    #[test]
    fn tokens() {
        let secret = |text: &str| text.parse::<Secret>().unwrap_or_else(|e| match e {});
        assert!(bearer(&secret("abc")).unwrap().is_sensitive());
        assert!(!bearer(&secret("hush\n")).unwrap_err().words().contains("hush"));
    }
}
