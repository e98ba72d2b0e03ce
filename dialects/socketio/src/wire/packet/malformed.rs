//! Why something is no packet, in words. Knows nothing of what happens to who sent it.

use super::Kind;
use dialect::json::DEPTH_MAX;
use std::fmt;

/// Why something is no packet that a client may send. Each of them closes the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// There is nothing.
    Empty,
    /// It begins with no type.
    Kind,
    /// A type that only servers send.
    FromServer(Kind),
    /// A binary type, and then no number that ends with `-`.
    Attachments,
    /// A binary type without attachments.
    NoAttachments,
    /// More attachments than this many.
    TooManyAttachments(u8),
    /// Attachments of more bytes than this many, each counted as often as it is used.
    TooLongAttachments(usize),
    /// A namespace of more bytes than this many.
    Namespace(usize),
    /// The id for an acknowledgement is above 2^53 - 1, or no number.
    Ack,
    /// The data is no JSON; where, and why.
    Json(String),
    /// The data nests deeper than [`DEPTH_MAX`].
    Deep,
    /// The data is not what this type carries.
    Data(Kind),
    /// The event has no name: its first element is neither a string nor a number.
    Name,
    /// The event has a name that the protocol keeps for itself.
    Reserved(&'static str),
    /// A placeholder stands for an attachment that is not there.
    Placeholder,
    /// Text, while attachments are to come.
    TextInstead,
    /// Bytes, while no attachment is to come.
    BytesInstead,
    /// The bytes are no msgpack, or none that means a packet; why.
    Msgpack(&'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the packet is empty; it begins with a type, 0 to 6"),
            Self::Kind => f.write_str("the packet's type is none of 0 to 6"),
            Self::FromServer(kind) => write!(f, "only a server sends {kind}"),
            Self::Attachments => f.write_str("a binary packet begins with its number of attachments and `-`"),
            Self::NoAttachments => {
                f.write_str("a binary packet announces no attachment; it needs at least one")
            }
            Self::TooManyAttachments(most) => write!(f, "the packet has more than {most} attachments"),
            Self::TooLongAttachments(most) => {
                write!(
                    f,
                    "the packet's attachments, as often as they are used, come to more than {most} bytes"
                )
            }
            Self::Namespace(most) => write!(f, "the namespace is longer than {most} bytes"),
            Self::Ack => {
                f.write_str("the id for the acknowledgement is no whole number up to 9007199254740991")
            }
            Self::Json(why) => write!(f, "the data is no JSON: {why}"),
            Self::Deep => write!(f, "the data nests deeper than {DEPTH_MAX} levels"),
            Self::Data(kind) => write!(f, "{kind} carries {}", carries(*kind)),
            Self::Name => f.write_str("an event's array begins with its name, a string or a number"),
            Self::Reserved(name) => write!(f, "`{name}` is no event that a client may send"),
            Self::Placeholder => f.write_str("a placeholder's `num` is the number of no attachment"),
            Self::TextInstead => f.write_str("text came where an attachment was to come"),
            Self::BytesInstead => f.write_str("bytes came that no packet has announced"),
            Self::Msgpack(why) => write!(f, "no packet in msgpack: {why}"),
        }
    }
}

impl std::error::Error for Malformed {}

fn carries(kind: Kind) -> &'static str {
    match kind {
        Kind::Connect => "an object, or nothing",
        Kind::Disconnect => "nothing",
        Kind::Event | Kind::BinaryEvent => "an array that begins with the event's name",
        Kind::Ack | Kind::BinaryAck => "an array",
        Kind::ConnectError => "an object or a string",
    }
}
