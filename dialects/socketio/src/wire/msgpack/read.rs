//! Packets out of msgpack. Does not recurse, whatever nests. Knows no frames.

use super::date;
use super::item::{Input, Item};
use crate::wire::binary::{Whole, write_placeholder};
use crate::wire::engine::Revision;
use crate::wire::packet::{Kind, Limits, Malformed, bounded_ack, shape, split_query};
use bytes::Bytes;
use dialect::json;

/// Whether a first message can be a packet in msgpack: it begins as a map does.
#[must_use]
pub fn is_likely(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

/// Whether these bytes begin as the parser's CONNECT does, whose `type` is first.
#[must_use]
pub fn begins_connect(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80..=0x8f, 0xa4, b't', b'y', b'p', b'e', 0, ..])
}

/// Reads a packet that a client sent. Members that it does not know are skipped.
///
/// # Errors
/// What is wrong with it. An object with a member `_placeholder` is refused in a packet that has attachments too:
/// nobody could tell it from them.
pub fn read(bytes: &[u8], revision: Revision, limits: &Limits) -> Result<Whole, Malformed> {
    let mut input = Input::new(bytes);
    let Item::Map(count) = input.item()? else {
        return Err(Malformed::Msgpack("it is no map"));
    };
    let (mut kind, mut namespace, mut ack, mut data) = (None, None, None, None);
    for _ in 0..count {
        let Item::Text(key) = input.item()? else {
            return Err(Malformed::Msgpack("a key of the packet is no string"));
        };
        let item = input.item()?;
        match key {
            b"type" => kind = Some(kind_of(item)?),
            b"nsp" => {
                let Item::Text(text) = item else { return Err(Malformed::Msgpack("`nsp` is no string")) };
                namespace = Some(text);
            }
            b"id" => ack = ack_of(item)?,
            b"data" => {
                let mut text = Data::new(limits);
                text.value(item, &mut input)?;
                data = (item != Item::Undefined).then_some(text);
            }
            _ => skip(item, &mut input)?,
        }
    }
    if !input.is_empty() {
        return Err(Malformed::Msgpack("something follows the map"));
    }
    let kind = kind.ok_or(Malformed::Msgpack("`type` is missing"))?;
    let namespace = namespace.ok_or(Malformed::Msgpack("`nsp` is missing"))?;
    whole(kind, namespace, ack, data, revision, limits)
}

fn whole(
    kind: Kind,
    namespace: &[u8],
    ack: Option<u64>,
    data: Option<Data<'_>>,
    revision: Revision,
    limits: &Limits,
) -> Result<Whole, Malformed> {
    let namespace = std::str::from_utf8(namespace).map_err(|_| Malformed::Msgpack("`nsp` is not UTF-8"))?;
    // Of any other the same packet could not be written as text.
    if !namespace.starts_with('/') || namespace.contains(',') {
        return Err(Malformed::Msgpack("`nsp` is no namespace: it begins with `/` and has no comma"));
    }
    let (namespace, query) = split_query(namespace, revision, limits)?;
    let (data, attachments) = match data {
        Some(data) => data.end()?,
        None => (None, Vec::new()),
    };
    match &data {
        Some(data) => shape(kind, data)?,
        None if matches!(kind, Kind::Event | Kind::Ack) => return Err(Malformed::Data(kind)),
        None => {}
    }
    if kind == Kind::Connect && !attachments.is_empty() {
        return Err(Malformed::Msgpack("a CONNECT has no attachments"));
    }
    Ok(Whole {
        kind: kind.with(attachments.len()),
        namespace: namespace.to_owned(),
        query: query.map(str::to_owned),
        ack,
        data,
        attachments,
    })
}

fn number(item: Item<'_>) -> Option<u64> {
    if let Item::Unsigned(n) = item {
        return Some(n);
    }
    // JavaScript has one sort of numbers: how it is written is its encoder's choice.
    if let Item::Float(f) = item {
        return format!("{f}").parse().ok();
    }
    if let Item::Signed(n) = item { u64::try_from(n).ok() } else { None }
}

fn kind_of(item: Item<'_>) -> Result<Kind, Malformed> {
    match number(item) {
        Some(0) => Ok(Kind::Connect),
        Some(1) => Ok(Kind::Disconnect),
        Some(2) => Ok(Kind::Event),
        Some(3) => Ok(Kind::Ack),
        Some(4) => Err(Malformed::FromServer(Kind::ConnectError)),
        _ => Err(Malformed::Msgpack("`type` is none of 0 to 4")),
    }
}

fn ack_of(item: Item<'_>) -> Result<Option<u64>, Malformed> {
    if item == Item::Undefined {
        return Ok(None);
    }
    number(item).and_then(bounded_ack).map(Some).ok_or(Malformed::Ack)
}

/// Reads a value and forgets it.
fn skip(first: Item<'_>, input: &mut Input<'_>) -> Result<(), Malformed> {
    let mut left = inside(first);
    while left > 0 {
        left = (left - 1).saturating_add(inside(input.item()?));
    }
    Ok(())
}

/// How many items are in this one.
fn inside(item: Item<'_>) -> u64 {
    if let Item::Array(count) = item {
        return u64::from(count);
    }
    if let Item::Map(count) = item { 2 * u64::from(count) } else { 0 }
}

/// An array or a map that has not ended.
struct Open {
    is_map: bool,
    /// Values to come.
    left: u32,
    /// Whether one has been written.
    begun: bool,
}

/// JSON text in the making, and what its placeholders stand for.
struct Data<'a> {
    limits: &'a Limits,
    json: Vec<u8>,
    attachments: Vec<Bytes>,
    bytes: usize,
    open: Vec<Open>,
    /// Whether an object has a member that makes placeholders.
    looks_like_placeholder: bool,
}

impl<'a> Data<'a> {
    fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            json: Vec::new(),
            attachments: Vec::new(),
            bytes: 0,
            open: Vec::new(),
            looks_like_placeholder: false,
        }
    }

    /// Writes a value, whose first item has been read.
    fn value(&mut self, first: Item<'_>, input: &mut Input<'_>) -> Result<(), Malformed> {
        self.item(first)?;
        while self.close() {
            let is_map = match self.open.last_mut() {
                Some(open) => {
                    open.left -= 1;
                    open.is_map
                }
                None => false,
            };
            let key = if is_map { Some(input.item()?) } else { None };
            let item = input.item()?;
            if is_map && item == Item::Undefined {
                continue;
            }
            self.comma();
            if let Some(key) = key {
                self.key(key)?;
            }
            self.item(item)?;
        }
        Ok(())
    }

    /// Ends what has all its values; whether something remains.
    fn close(&mut self) -> bool {
        while let Some(open) = self.open.pop_if(|open| open.left == 0) {
            self.json.push(if open.is_map { b'}' } else { b']' });
        }
        !self.open.is_empty()
    }

    fn comma(&mut self) {
        if let Some(open) = self.open.last_mut()
            && std::mem::replace(&mut open.begun, true)
        {
            self.json.push(b',');
        }
    }

    fn key(&mut self, key: Item<'_>) -> Result<(), Malformed> {
        if let Item::Text(text) = key {
            self.looks_like_placeholder |= text == b"_placeholder";
            self.text(text);
        } else if let Item::Unsigned(n) = key {
            json::string(&n.to_string(), &mut self.json);
        } else if let Item::Signed(n) = key {
            json::string(&n.to_string(), &mut self.json);
        } else {
            return Err(Malformed::Msgpack("a key is neither a string nor a whole number"));
        }
        self.json.push(b':');
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> Result<(), Malformed> {
        match item {
            Item::Nil | Item::Undefined => self.raw("null"),
            Item::Bool(yes) => self.raw(if yes { "true" } else { "false" }),
            Item::Signed(n) => self.raw(&n.to_string()),
            Item::Unsigned(n) => self.raw(&n.to_string()),
            Item::Float(f) => self.float(f),
            Item::Text(text) => self.text(text),
            Item::Bytes(bytes) => return self.attach(bytes),
            Item::Array(left) => return self.begin(Open { is_map: false, left, begun: false }),
            Item::Map(left) => return self.begin(Open { is_map: true, left, begun: false }),
            Item::Date(ms) => self.date(Some(ms)),
            Item::Extension(-1, bytes) => self.date(timestamp(bytes)),
            Item::Extension(..) => {
                return Err(Malformed::Msgpack("an extension of a type that nobody knows"));
            }
        }
        Ok(())
    }

    fn begin(&mut self, open: Open) -> Result<(), Malformed> {
        if self.open.len() == json::DEPTH_MAX {
            return Err(Malformed::Deep);
        }
        self.json.push(if open.is_map { b'{' } else { b'[' });
        self.open.push(open);
        Ok(())
    }

    fn raw(&mut self, text: &str) {
        self.json.extend_from_slice(text.as_bytes());
    }

    /// As JavaScript writes it. What is no number to JSON is null.
    fn float(&mut self, f: f64) {
        match serde_json::Number::from_f64(f) {
            // 2^53: up to there a whole number is exactly itself, and shorter without its fraction.
            Some(_) if f.fract() == 0.0 && f.abs() < 9_007_199_254_740_992.0 => {
                self.raw(&format!("{}", f + 0.0));
            }
            Some(number) => self.raw(&number.to_string()),
            None => self.raw("null"),
        }
    }

    /// Half of a surrogate pair, which JavaScript's strings may hold, becomes U+FFFD.
    fn text(&mut self, text: &[u8]) {
        json::string(&String::from_utf8_lossy(text), &mut self.json);
    }

    fn date(&mut self, ms: Option<i64>) {
        match ms.and_then(date::iso) {
            Some(text) => json::string(&text, &mut self.json),
            None => self.raw("null"),
        }
    }

    fn attach(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.attachments.len() == usize::from(self.limits.attachments) {
            return Err(Malformed::TooManyAttachments(self.limits.attachments));
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > self.limits.bytes {
            return Err(Malformed::TooLongAttachments(self.limits.bytes));
        }
        write_placeholder(self.attachments.len(), &mut self.json);
        self.attachments.push(Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn end(self) -> Result<(Option<String>, Vec<Bytes>), Malformed> {
        if self.looks_like_placeholder && !self.attachments.is_empty() {
            return Err(Malformed::Msgpack("`_placeholder` beside attachments"));
        }
        let json = String::from_utf8(self.json).map_err(|_| Malformed::Msgpack("not UTF-8"))?;
        Ok((Some(json), self.attachments))
    }
}

/// Milliseconds since 1970 of a timestamp, the one extension that msgpack itself defines.
fn timestamp(bytes: &[u8]) -> Option<i64> {
    let (seconds, nanos) = match *bytes {
        [a, b, c, d] => (i64::from(u32::from_be_bytes([a, b, c, d])), 0),
        [a, b, c, d, e, f, g, h] => {
            let both = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
            (i64::try_from(both & ((1 << 34) - 1)).ok()?, u32::try_from(both >> 34).ok()?)
        }
        [a, b, c, d, ref seconds @ ..] => {
            (i64::from_be_bytes(*seconds.first_chunk()?), u32::from_be_bytes([a, b, c, d]))
        }
        _ => return None,
    };
    seconds.checked_mul(1000)?.checked_add(i64::from(nanos / 1_000_000))
}
