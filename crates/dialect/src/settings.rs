//! How a section of the configuration describes itself: which keys it has, what each takes, what it is for.
//!
//! A section is a struct, declared once, inside [`section!`](crate::section): the struct that is read, and the rows
//! of the reference, are the same lines. Does not know files, environments, or what any key means.

use serde::Deserialize;
use std::collections::BTreeMap;

/// A section of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What it is about.
    pub doc: &'static str,
    /// Its keys, in the order in which they are shown.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is for.
    pub doc: &'static str,
    /// What a number counts.
    pub unit: Unit,
    /// Whether a server that runs takes a new value over, when it reads its configuration again.
    pub live: bool,
    /// Whether its section cannot do without.
    pub required: bool,
    /// What holds when nothing is written, where it depends on something; empty: it is a plain value.
    pub default: &'static str,
    /// A value as TOML, where the default is none to learn from.
    pub example: &'static str,
}

impl Key {
    /// A key with nothing special about it.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, kind, doc, unit: Unit::None, live: false, required: false, default: "", example: "" }
    }
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Things, or it is no number.
    None,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number, 0 to `max`.
    Integer {
        /// The largest.
        max: u64,
    },
    /// Text.
    Text,
    /// Text that nobody may see.
    Secret,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A section of numbers, each by a name of the writer's own.
    Numbers,
    /// A section.
    Table(&'static Section),
    /// A list of sections.
    Tables(&'static Section),
}

/// What there is below a key.
#[derive(Clone, Copy, Debug)]
pub enum Below {
    /// Nothing: it holds a value.
    Nothing,
    /// A section.
    One(&'static Section),
    /// A section for each member of a list.
    Each(&'static Section),
}

impl Kind {
    /// What there is below a key of this kind.
    #[must_use]
    pub fn below(self) -> Below {
        match self {
            Self::Table(section) => Below::One(section),
            Self::Tables(section) => Below::Each(section),
            Self::Flag
            | Self::Integer { .. }
            | Self::Text
            | Self::Secret
            | Self::Words(_)
            | Self::Texts
            | Self::Numbers => Below::Nothing,
        }
    }

    /// What it takes, in words: follows "expected".
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Flag => "`true` or `false`".into(),
            Self::Integer { max } if max >= i64::MAX.cast_unsigned() => "a whole number, 0 or more".into(),
            Self::Integer { max } => format!("a whole number from 0 to {max}"),
            Self::Text | Self::Secret => "text in quotes".into(),
            Self::Words(words) => {
                let quoted: Vec<_> = words.iter().map(|w| format!("\"{w}\"")).collect();
                format!("one of {}", quoted.join(", "))
            }
            Self::Texts => "a list of texts, as in [\"one\", \"two\"]".into(),
            Self::Numbers => "numbers by name, as in { \"one\" = 1, \"two\" = 2 }".into(),
            Self::Table(_) => "a section".into(),
            Self::Tables(_) => "a list of sections".into(),
        }
    }
}

/// The value that a key has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// None.
    Absent,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(u64),
    /// Text.
    Text(String),
    /// Text that nobody may see.
    Secret(Hidden),
    /// A list of texts.
    Texts(Vec<String>),
    /// Numbers by name, in the order of the names.
    Numbers(Vec<(String, u32)>),
    /// A section, by key.
    Table(Vec<(&'static str, Self)>),
    /// A list of sections.
    Tables(Vec<Self>),
}

/// A secret that can be compared with another, and not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides it.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(secret.into())
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A type that a key can have.
pub trait Setting {
    /// What is written for it.
    const KIND: Kind;

    /// The value, so that it can be shown and compared.
    fn value(&self) -> Value;
}

impl Setting for bool {
    const KIND: Kind = Kind::Flag;

    fn value(&self) -> Value {
        Value::Flag(*self)
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Setting for $t {
            const KIND: Kind = Kind::Integer { max: <$t>::MAX as u64 };

            fn value(&self) -> Value {
                Value::Integer(*self as u64)
            }
        }
    )*};
}
integers!(u16, u32, u64, usize);

impl Setting for String {
    const KIND: Kind = Kind::Text;

    fn value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Setting for std::path::PathBuf {
    const KIND: Kind = Kind::Text;

    fn value(&self) -> Value {
        Value::Text(self.display().to_string())
    }
}

impl Setting for Vec<String> {
    const KIND: Kind = Kind::Texts;

    fn value(&self) -> Value {
        Value::Texts(self.clone())
    }
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Absent, Setting::value)
    }
}

/// What nobody may see who reads a log or a printed configuration.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Setting for Secret {
    const KIND: Kind = Kind::Secret;

    fn value(&self) -> Value {
        Value::Secret(Hidden::new(&self.0))
    }
}

/// Numbers, each by a name of the writer's own; in the order of the names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Numbers(BTreeMap<String, u32>);

impl Numbers {
    /// Each name, and its number.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(name, number)| (name.as_str(), *number))
    }
}

impl<'a> FromIterator<(&'a str, u32)> for Numbers {
    fn from_iter<T: IntoIterator<Item = (&'a str, u32)>>(pairs: T) -> Self {
        Self(pairs.into_iter().map(|(name, number)| (name.to_owned(), number)).collect())
    }
}

impl Setting for Numbers {
    const KIND: Kind = Kind::Numbers;

    fn value(&self) -> Value {
        Value::Numbers(self.iter().map(|(name, number)| (name.to_owned(), number)).collect())
    }
}

/// A struct that [`section!`](crate::section) has declared.
pub trait Describe: Setting {
    /// Its keys.
    const SECTION: &'static Section;
}

impl<T: Describe> Setting for Vec<T> {
    const KIND: Kind = Kind::Tables(T::SECTION);

    fn value(&self) -> Value {
        Value::Tables(self.iter().map(Setting::value).collect())
    }
}

/// Declares a section of the configuration: a struct that serde reads, which refuses keys it does not know, and
/// whose missing keys have the values of its `Default`.
///
/// Each field has its documentation, which is also its row in the reference, and after it, where there is more to
/// say, `#[key(…)]`: any fields of [`Key`](crate::settings::Key).
///
/// ```
/// use dialect::settings::{Describe, Unit};
///
/// dialect::section! {
///     /// Tea.
///     #[derive(Default)]
///     pub struct Tea {
///         /// How long it draws.
///         #[key(unit = Unit::Seconds, live = true)]
///         pub draws: Option<u32>,
///     }
/// }
/// assert_eq!(Tea::SECTION.keys[0].name, "draws");
/// assert_eq!(Tea::SECTION.keys[0].doc.trim(), "How long it draws.");
/// ```
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $(#[derive($($derive:tt)*)])?
        pub struct $struct:ident {
            $(
                $(#[doc = $doc:literal])*
                $(#[key($($attribute:ident = $value:expr),* $(,)?)])?
                pub $field:ident: $type:ty,
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, ::serde::Deserialize $(, $($derive)*)?)]
        #[serde(deny_unknown_fields, default)]
        pub struct $struct {
            $(
                $(#[doc = $doc])*
                pub $field: $type,
            )*
        }

        impl $crate::settings::Describe for $struct {
            const SECTION: &'static $crate::settings::Section = &$crate::settings::Section {
                doc: concat!($($about),*),
                keys: &[$($crate::settings::Key {
                    $($($attribute: $value,)*)?
                    ..$crate::settings::Key::new(
                        stringify!($field),
                        <$type as $crate::settings::Setting>::KIND,
                        concat!($($doc),*),
                    )
                }),*],
            };
        }

        impl $crate::settings::Setting for $struct {
            const KIND: $crate::settings::Kind =
                $crate::settings::Kind::Table(<Self as $crate::settings::Describe>::SECTION);

            fn value(&self) -> $crate::settings::Value {
                $crate::settings::Value::Table(vec![
                    $((stringify!($field), $crate::settings::Setting::value(&self.$field))),*
                ])
            }
        }
    };
}

/// Declares an enum whose variants are written as words.
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $about:literal])*
        pub enum $enum:ident {
            $($(#[$meta:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ::serde::Deserialize)]
        pub enum $enum {
            $($(#[$meta])* #[serde(rename = $word)] $variant,)*
        }

        impl $crate::settings::Setting for $enum {
            const KIND: $crate::settings::Kind = $crate::settings::Kind::Words(&[$($word),*]);

            fn value(&self) -> $crate::settings::Value {
                $crate::settings::Value::Text(match self { $(Self::$variant => $word,)* }.into())
            }
        }
    };
}
