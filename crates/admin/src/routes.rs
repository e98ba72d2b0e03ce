//! What is served at which path, and to whom.
//!
//! Health is for everybody who reaches the listener. All else wants the token, where there is one; and where there is
//! none, a `Host` that is this machine's own name, so that no page elsewhere can look through a visitor's browser.

use crate::exposition::{self, Format};
use crate::view::View;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use node::hooks::HookView;
use serde_json::{Value, json};
use std::sync::Arc;
use subtle::ConstantTimeEq;

const SERVED: &str = "\
served here:
  GET /metrics  what the server counts, for Prometheus (OpenMetrics if asked for with Accept)
  GET /hooks    the callbacks that are open, as JSON: at most 1,000, those first that fail most
  GET /healthz  200 while the process lives
  GET /readyz   200 while it takes clients, 503 once it is stopping
";

/// Every path there is.
pub(crate) fn routes(view: &Arc<View>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/hooks", get(hooks))
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readiness))
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n") })
        .fallback(|| async { (StatusCode::NOT_FOUND, SERVED) })
        .layer(from_fn_with_state(Arc::clone(view), guard))
        .with_state(Arc::clone(view))
}

async fn metrics(State(view): State<Arc<View>>, headers: HeaderMap) -> Response {
    let accept: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    let text = exposition::write(&view.snapshot(), format);
    ([(CONTENT_TYPE, format.content_type())], text).into_response()
}

/// Nothing of a URL but host and port: paths and queries often hold secrets.
async fn hooks(State(view): State<Arc<View>>) -> Response {
    let listed = view.exchange.hooks.as_ref().map(|hooks| (hooks.len(), hooks.list())).unwrap_or_default();
    let list: Vec<_> = listed.1.iter().map(shown_hook).collect();
    let body = json!({ "open": listed.0, "hooks": list }).to_string();
    ([(CONTENT_TYPE, "application/json")], body + "\n").into_response()
}

fn shown_hook(hook: &HookView) -> Value {
    json!({
        "target": hook.target,
        "queued": hook.queued,
        "queued_bytes": hook.queued_bytes,
        "delivered": hook.delivered,
        "failed": hook.failed,
        "failures_in_a_row": hook.failures,
        "missed": hook.missed,
        "last_failure": hook.last_failure.map(|why| why.to_string()),
    })
}

async fn readiness(State(view): State<Arc<View>>) -> (StatusCode, &'static str) {
    match view.is_draining() {
        false => (StatusCode::OK, "ready\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    }
}

async fn guard(State(view): State<Arc<View>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if let Some(hosts) = &view.hosts
        && !host(headers).is_some_and(|h| hosts.iter().any(|known| known.eq_ignore_ascii_case(h)))
    {
        let words = "this Host is not served here: call this machine localhost or by its address\n";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    let is_health = matches!(request.uri().path(), "/healthz" | "/readyz");
    if let Some(token) = &view.token
        && !is_health
        && !shown(headers).is_some_and(|t| bool::from(t.as_bytes().ct_eq(token.as_bytes())))
    {
        let words = "this wants `Authorization: Bearer TOKEN` with the `admin.token` of the configuration\n";
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], words).into_response();
    }
    next.run(request).await
}

/// The one value of a header that must not come twice.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The Host without its port.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = only(headers, HOST)?;
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => Some(name),
        Some(_) | None => Some(host),
    }
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}
