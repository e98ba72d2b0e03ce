//! One item of msgpack at a time, out of bytes: a scalar, or the head of an array or a map. Believes no length that it
//! has not seen. Knows no packets.

use crate::wire::packet::Malformed;

/// An item.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Item<'a> {
    Nil,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// How many values follow.
    Array(u32),
    /// How many keys, each with its value, follow.
    Map(u32),
    /// notepack.io's `undefined`: one byte of type 0.
    Undefined,
    /// notepack.io's date: eight bytes of type 0, milliseconds since 1970. Or msgpack-lite's, a float in msgpack, of type 0x0d.
    Date(i64),
    /// An extension's type and its bytes.
    Extension(i8, &'a [u8]),
}

/// msgpack-lite's types of extensions.
const DATE: i8 = 0x0d;
const UINT8_ARRAY: i8 = 0x12;
const ARRAY_BUFFER: i8 = 0x1a;

/// The whole milliseconds of a date; what is no number is no date either.
fn whole(ms: f64) -> i64 {
    format!("{:.0}", ms.trunc()).parse().unwrap_or(i64::MAX)
}

/// What is still to be read.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

const CUT: Malformed = Malformed::Msgpack("it ends in the middle");

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| CUT)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn exactly<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(CUT)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.exactly::<1>().map(|[byte]| byte)
    }

    /// A length of as many bytes as the code's place among its like says: 1, 2 or 4.
    fn length(&mut self, place: u8) -> Result<u32, Malformed> {
        match place {
            0 => Ok(u32::from(self.byte()?)),
            1 => Ok(u32::from(u16::from_be_bytes(self.exactly()?))),
            _ => Ok(u32::from_be_bytes(self.exactly()?)),
        }
    }

    pub(super) fn item(&mut self) -> Result<Item<'a>, Malformed> {
        let code = self.byte()?;
        Ok(match code {
            0x00..=0x7f => Item::Unsigned(u64::from(code)),
            0x80..=0x8f => Item::Map(u32::from(code & 0x0f)),
            0x90..=0x9f => Item::Array(u32::from(code & 0x0f)),
            0xa0..=0xbf => Item::Text(self.take(u32::from(code & 0x1f))?),
            0xc0 => Item::Nil,
            0xc1 => return Err(Malformed::Msgpack("0xc1 means nothing")),
            0xc2 | 0xc3 => Item::Bool(code == 0xc3),
            0xc4..=0xc6 => {
                let length = self.length(code - 0xc4)?;
                Item::Bytes(self.take(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(code - 0xc7)?;
                self.extension(length)?
            }
            0xca => Item::Float(f64::from(f32::from_be_bytes(self.exactly()?))),
            0xcb => Item::Float(f64::from_be_bytes(self.exactly()?)),
            0xcc => Item::Unsigned(u64::from(self.byte()?)),
            0xcd => Item::Unsigned(u64::from(u16::from_be_bytes(self.exactly()?))),
            0xce => Item::Unsigned(u64::from(u32::from_be_bytes(self.exactly()?))),
            0xcf => Item::Unsigned(u64::from_be_bytes(self.exactly()?)),
            0xd0 => Item::Signed(i64::from(i8::from_be_bytes(self.exactly()?))),
            0xd1 => Item::Signed(i64::from(i16::from_be_bytes(self.exactly()?))),
            0xd2 => Item::Signed(i64::from(i32::from_be_bytes(self.exactly()?))),
            0xd3 => Item::Signed(i64::from_be_bytes(self.exactly()?)),
            0xd4..=0xd8 => self.fixed_extension(1 << (code - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(code - 0xd9)?;
                Item::Text(self.take(length)?)
            }
            0xdc | 0xdd => Item::Array(self.length(code - 0xdb)?),
            0xde | 0xdf => Item::Map(self.length(code - 0xdd)?),
            0xe0..=0xff => Item::Signed(i64::from(i8::from_be_bytes([code]))),
        })
    }

    /// An extension that says its length. Of type 0 it is notepack.io's ArrayBuffer; msgpack-lite has other types for
    /// the same, for its bytes and its dates.
    fn extension(&mut self, length: u32) -> Result<Item<'a>, Malformed> {
        let sort = i8::from_be_bytes(self.exactly()?);
        let bytes = self.take(length)?;
        Ok(match (sort, bytes) {
            (0 | UINT8_ARRAY | ARRAY_BUFFER, _) => Item::Bytes(bytes),
            (DATE, &[0xcb, a, b, c, d, e, f, g, h]) => {
                Item::Date(whole(f64::from_be_bytes([a, b, c, d, e, f, g, h])))
            }
            (sort, _) => Item::Extension(sort, bytes),
        })
    }

    /// An extension of a length of its own.
    fn fixed_extension(&mut self, length: u32) -> Result<Item<'a>, Malformed> {
        let sort = i8::from_be_bytes(self.exactly()?);
        let bytes = self.take(length)?;
        Ok(match (sort, bytes) {
            (0, [_]) => Item::Undefined,
            (0, bytes) => match bytes.first_chunk::<8>() {
                Some(ms) if bytes.len() == 8 => Item::Date(i64::from_be_bytes(*ms)),
                Some(_) | None => Item::Bytes(bytes),
            },
            (UINT8_ARRAY | ARRAY_BUFFER, bytes) => Item::Bytes(bytes),
            (sort, bytes) => Item::Extension(sort, bytes),
        })
    }
}
