//! Names of virtual hosts and channels, and the rules that every dialect shares.

use std::fmt;
use std::sync::Arc;

/// The longest channel name, in bytes of UTF-8.
pub const CHANNEL_NAME_MAX: usize = 255;

/// Why a string is no channel name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing between the quotes.
    Empty,
    /// More than [`CHANNEL_NAME_MAX`] bytes.
    TooLong,
    /// A control character (U+0000 to U+001F, U+007F to U+009F) stands in it.
    Control,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the channel name is empty"),
            Self::TooLong => write!(f, "the channel name is longer than {CHANNEL_NAME_MAX} bytes"),
            Self::Control => f.write_str("the channel name contains a control character"),
        }
    }
}

impl std::error::Error for NameError {}

/// The name of a channel: 1 to 255 bytes of UTF-8 without control characters.
///
/// The same string in every dialect, never rewritten. Cloning is cheap.
///
/// ```
/// use model::{ChannelName, NameError};
/// assert_eq!(ChannelName::new("garden/sprinklers").unwrap().as_str(), "garden/sprinklers");
/// assert_eq!(ChannelName::new("a\nb"), Err(NameError::Control));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// Checks `name` and keeps a copy of it.
    ///
    /// # Errors
    /// When it is empty, too long, or holds a control character.
    pub fn new(name: &str) -> Result<Self, NameError> {
        Self::check(name)?;
        Ok(Self(name.into()))
    }

    /// Says whether `name` could be a channel's name, without keeping it.
    ///
    /// # Errors
    /// As [`ChannelName::new`].
    pub fn check(name: &str) -> Result<(), NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > CHANNEL_NAME_MAX {
            return Err(NameError::TooLong);
        }
        // Control characters below U+0080 are single bytes; the others need a look at the characters.
        let bytes = name.as_bytes();
        let suspicious = bytes.iter().any(|&b| b < 0x20 || b == 0x7f || b == 0xc2);
        if suspicious && name.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The name of a virtual host, a world of its own: `/` or a path such as `/hello`. Cloning is cheap, and of `/` costs
/// nothing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VHostName(Option<Arc<str>>);

impl VHostName {
    /// The virtual host everybody is in who asks for no other.
    #[must_use]
    pub fn root() -> Self {
        Self(None)
    }

    /// Checks `name`: it begins with `/` and follows the rules of channel names otherwise.
    ///
    /// # Errors
    /// When it does not.
    pub fn new(name: &str) -> Result<Self, NameError> {
        ChannelName::check(name)?;
        if !name.starts_with('/') {
            return Err(NameError::Empty);
        }
        Ok(Self((name != "/").then(|| name.into())))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("/")
    }
}

impl fmt::Debug for VHostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_names() {
        assert_eq!(ChannelName::check(""), Err(NameError::Empty));
        assert_eq!(ChannelName::check(&"x".repeat(256)), Err(NameError::TooLong));
        assert_eq!(ChannelName::check(&"x".repeat(255)), Ok(()));
        assert_eq!(ChannelName::check("a\u{7f}"), Err(NameError::Control));
        assert_eq!(ChannelName::check("a\u{85}"), Err(NameError::Control));
        assert_eq!(ChannelName::check("£ ü 你好 \u{a0}"), Ok(()));
        assert!(VHostName::new("hello").is_err());
        assert_eq!(VHostName::new("/hello").unwrap().as_str(), "/hello");
        assert_eq!((VHostName::new("/").unwrap(), VHostName::root().as_str()), (VHostName::root(), "/"));
    }
}
