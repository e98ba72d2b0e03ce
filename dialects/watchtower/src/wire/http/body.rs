//! The JSON objects that requests carry, member by member: whoever wrote one wrongly is told which, and what it should be.

use super::add;
use super::problem::{BAD_CALLBACK, BAD_SENDER, Problem};
use dialect::json::{self, Flaw};
use dialect::settings::Secret;
use model::PrincipalId;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::num::NonZeroU32;

/// The longest name of an event, in bytes.
const EVENT_NAME_MAX: usize = 255;

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
pub struct Speech {
    /// What `message` is: a string is its text, everything else stays as it was written.
    pub message: Said,
    /// The event's name.
    pub event: Option<String>,
}

/// A `message`.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A string: this is what it stands for.
    Text(String),
    /// JSON of any other sort.
    Json(String),
}

/// The members of an object that have a meaning in some request; others are let be.
#[derive(Deserialize)]
pub(super) struct Members<'a> {
    #[serde(borrow, default, deserialize_with = "there")]
    secret_key: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    sender: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    channels: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    receivers: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    message: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    event: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    callback_url: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    callback_secret: Option<&'a RawValue>,
}

/// `null` is there too.
fn there<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Members<'a> {
    /// SPEC [ERR-2].
    pub(super) fn of(body: &'a [u8]) -> Result<Self, Problem> {
        let flawed = |flaw: Flaw| Problem::new(400, format!("the body is not JSON: {flaw}"));
        json::check(body).map_err(flawed)?;
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::new(400, "the body must be a JSON object, as in {\"sender\":72}"));
        }
        serde_json::from_slice(body).map_err(|e| Problem::new(400, format!("the body cannot be read: {e}")))
    }

    /// `None`: nothing was shown.
    pub(super) fn secret(&self) -> Result<Option<String>, Problem> {
        text(self.secret_key, "secret_key").map(|secret| secret.map(Cow::into_owned))
    }

    /// SPEC [ID-1].
    pub(super) fn sender(&self) -> Result<NonZeroU32, Problem> {
        let Some(written) = given(self.sender) else { return Err(Problem::new(401, BAD_SENDER)) };
        match digits(written) {
            // Too large, or a fraction, or negative: nobody is called so.
            Some(text) => text.parse().map_err(|_| Problem::new(401, BAD_SENDER)),
            None => Err(Problem::new(400, "`sender` must be the number that /register returned, as in 72")),
        }
    }

    pub(super) fn channels(&self, max: usize) -> Result<Vec<u32>, Problem> {
        numbers(self.channels, "channels", "channel numbers, as in [5,6]", max)
    }

    pub(super) fn receivers(&self, max: usize) -> Result<Vec<PrincipalId>, Problem> {
        let numbers = numbers(self.receivers, "receivers", "the numbers of senders, as in [52,34]", max)?;
        Ok(numbers.into_iter().filter_map(|number| PrincipalId::new(number.into())).collect())
    }

    pub(super) fn callback_url(&self) -> Result<String, Problem> {
        let url = text(self.callback_url, "callback_url")?;
        url.map(Cow::into_owned).ok_or_else(|| Problem::new(400, BAD_CALLBACK))
    }

    /// SPEC [CB-3].
    pub(super) fn callback_secret(&self) -> Result<Option<Secret>, Problem> {
        Ok(text(self.callback_secret, "callback_secret")?.map(|secret| secret.into_owned().into()))
    }

    /// SPEC [BC-2].
    pub(super) fn speech(&self) -> Result<Speech, Problem> {
        let written =
            self.message.ok_or_else(|| Problem::new(400, "`message` is missing: any JSON value"))?;
        let message = match string(written) {
            Some(text) => Said::Text(text.into_owned()),
            // A string of half a surrogate pair stands for no text.
            None => Said::Json(written.get().to_owned()),
        };
        let event = text(self.event, "event")?.filter(|name| !name.is_empty());
        if event
            .as_ref()
            .is_some_and(|name| name.len() > EVENT_NAME_MAX || name.chars().any(char::is_control))
        {
            let what = format!(
                "`event` must be a name of at most {EVENT_NAME_MAX} bytes without control characters"
            );
            return Err(Problem::new(400, what));
        }
        Ok(Speech { message, event: event.map(Cow::into_owned) })
    }
}

/// A member that says something.
fn given(written: Option<&RawValue>) -> Option<&RawValue> {
    written.filter(|value| value.get() != "null")
}

fn string(written: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Borrowing<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(written.get()).ok().map(|Borrowing(text)| text)
}

fn text<'a>(written: Option<&'a RawValue>, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
    let Some(written) = given(written) else { return Ok(None) };
    let text = string(written);
    text.map(Some).ok_or_else(|| Problem::new(400, format!("`{name}` must be a string")))
}

/// What stands for a number: a JSON number, or a string of digits.
fn digits(written: &RawValue) -> Option<Cow<'_, str>> {
    let text = written.get();
    if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Some(text.into());
    }
    string(written).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
}

fn numbers(written: Option<&RawValue>, name: &str, what: &str, max: usize) -> Result<Vec<u32>, Problem> {
    let Some(written) = given(written) else {
        return Err(Problem::new(400, format!("`{name}` is missing: a list of {what}")));
    };
    let wrong = || Problem::new(400, format!("`{name}` must be a list of {what}"));
    let members: Vec<&RawValue> = serde_json::from_str(written.get()).map_err(|_| wrong())?;
    let mut numbers = Vec::new();
    for member in members {
        let number = digits(member).and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        add(number, &mut numbers, name, max)?;
    }
    if numbers.is_empty() {
        return Err(Problem::new(400, format!("`{name}` is empty: a list of {what}")));
    }
    Ok(numbers)
}
