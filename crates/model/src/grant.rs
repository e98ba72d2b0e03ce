//! Who may do what: rights over channels whose names match a pattern, held by a principal.

use crate::name::ChannelName;
use crate::pass::Pass;
use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

/// What may be done with a channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Join, hear, read history.
    Read,
    /// Publish.
    Write,
    /// Create, close, kick.
    Manage,
}

impl Right {
    /// The word for it in configuration and errors.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Manage => "MANAGE",
        }
    }
}

/// Which channels a grant is about.
///
/// `**` is every channel that is not assigned by the server; `*` stands for any run of characters; everything else for itself.
///
/// ```
/// use model::Pattern;
/// assert!(Pattern::new("chat.*").matches("chat.tea"));
/// assert!(!Pattern::new("chat.*").matches("chat"));
/// assert!(Pattern::new("user(*)").matches("user(5)"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// Takes the text of a pattern; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether it is `**`, everything that is not assigned.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        &*self.0 == "**"
    }

    /// Whether it matches the channel's name, byte by byte.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        // The parts between stars must follow each other; taking the leftmost place for each is enough.
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One right over the channels of a pattern, until an expiry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// What.
    pub right: Right,
    /// Where.
    pub pattern: Pattern,
    /// When it ends, in milliseconds since 1970; `None`: with the session.
    pub expires_ms: Option<u64>,
}

impl Grant {
    /// Reads `"READ chat.*"`, as configuration writes it.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (word, pattern, more) = (words.next(), words.next(), words.next());
        let right = match word {
            Some("READ") => Right::Read,
            Some("WRITE") => Right::Write,
            Some("MANAGE") => Right::Manage,
            _ => return Err(format!("`{text}`: a grant begins with READ, WRITE or MANAGE")),
        };
        match (pattern, more) {
            (Some(pattern), None) => Ok(Self { right, pattern: Pattern::new(pattern), expires_ms: None }),
            (None, _) => Err(format!("`{text}`: the pattern is missing, as in `{} chat.*`", right.word())),
            (Some(_), Some(_)) => Err(format!("`{text}`: one pattern to a grant; write several grants")),
        }
    }
}

/// As configuration writes it.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.right.word(), self.pattern)
    }
}

/// The address of a principal, for messages to named receivers. Unique on a node, never 0.
///
/// Those below 2³² are the node's own, for the principals that it enrols; an authority gives larger ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct PrincipalId(NonZeroU64);

impl PrincipalId {
    /// The address of this number; `None` for 0.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// Its number, if it is the address of a principal that the node has enrolled, or might.
    #[must_use]
    pub fn enrolment(self) -> Option<u32> {
        u32::try_from(self.0.get()).ok()
    }

    /// Whether it is the address of a principal that the node has enrolled, or might.
    #[must_use]
    pub fn is_enrolment(self) -> bool {
        self.enrolment().is_some()
    }
}

/// The address of a principal that the node enrols.
impl From<NonZeroU32> for PrincipalId {
    fn from(number: NonZeroU32) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a principal, as others see it: its own, or that of its kind and its number, where the node has enrolled
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    name: &'a str,
    number: Option<u32>,
}

impl<'a> Name<'a> {
    /// The name of whoever is called `name` and has this address.
    #[must_use]
    pub fn of(name: &'a str, address: Option<PrincipalId>) -> Self {
        Self { name, number: address.and_then(PrincipalId::enrolment) }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.number.map_or(Ok(()), |number| number.fmt(f))
    }
}

/// What principals of a kind have in common: what they are called, and what they may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// The name others see, or the beginning of it (see [`Principal::name`]); `None`: anonymous.
    pub name: Option<Arc<str>>,
    /// What they may do.
    pub grants: Box<[Grant]>,
    /// What a token that proves itself says besides; `None`: none was shown.
    pub pass: Option<Box<Pass>>,
    /// Whether who becomes one of them has shown something for it. Others remain strangers to the carrier.
    pub proven: bool,
}

impl Role {
    /// The same for those who have shown nothing.
    #[must_use]
    pub fn unproven(&self) -> Self {
        Self { proven: false, ..self.clone() }
    }
}

/// Who a session acts for, and what it may do. Several sessions may share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// What it has in common with others.
    pub role: Arc<Role>,
    /// By which messages can be addressed to it; `None`: it cannot be named as a receiver.
    pub address: Option<PrincipalId>,
}

impl Principal {
    /// Nobody in particular, with nothing but these grants.
    #[must_use]
    pub fn anonymous(grants: Vec<Grant>) -> Self {
        Self { role: Arc::new(Role { grants: grants.into(), ..Role::default() }), address: None }
    }

    /// Somebody of that name, who may do that, and cannot be named as a receiver.
    #[must_use]
    pub fn named(name: impl Into<Arc<str>>, grants: Vec<Grant>) -> Self {
        let role = Role { name: Some(name.into()), grants: grants.into(), proven: true, pass: None };
        Self { role: Arc::new(role), address: None }
    }

    /// The name others see; `None`: anonymous.
    #[must_use]
    pub fn name(&self) -> Option<Name<'_>> {
        self.role.name.as_deref().map(|name| Name::of(name, self.address))
    }

    /// Whether it takes nothing to become it: who acts for it may be anybody.
    #[must_use]
    pub fn is_stranger(&self) -> bool {
        !self.role.proven
    }

    /// Whether a valid grant gives `right` on `channel`. `**` does not reach `assigned` channels.
    #[must_use]
    pub fn may(&self, right: Right, channel: &ChannelName, assigned: bool, wall_ms: u64) -> bool {
        self.may_by_name(right, channel.as_str(), assigned, wall_ms)
    }

    /// As [`Principal::may`], for a name that nobody has checked yet.
    #[must_use]
    pub fn may_by_name(&self, right: Right, channel: &str, assigned: bool, wall_ms: u64) -> bool {
        let owned = || self.pass(wall_ms).is_some_and(|pass| pass.gives(right, channel));
        self.valid(right, wall_ms)
            .any(|g| if g.pattern.is_everything() { !assigned } else { g.pattern.matches(channel) })
            || owned()
    }

    /// Whether a valid grant gives `right` on `**`: what a broadcast to everybody needs.
    #[must_use]
    pub fn may_everywhere(&self, right: Right, wall_ms: u64) -> bool {
        self.valid(right, wall_ms).any(|g| g.pattern.is_everything())
    }

    /// Whether any valid grant gives `right` on any channel at all.
    #[must_use]
    pub fn may_somewhere(&self, right: Right, wall_ms: u64) -> bool {
        self.valid(right, wall_ms).next().is_some()
            || self.pass(wall_ms).is_some_and(|pass| pass.gives_some(right))
    }

    /// The channels that the server assigns to it, and that it may join though nobody else may.
    #[must_use]
    pub fn assigned(&self) -> &[ChannelName] {
        self.role.pass.as_ref().map_or(&[], |pass| &pass.channels)
    }

    /// When it may do nothing any more, in milliseconds since 1970; `None`: as long as it stands.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        self.role.pass.as_ref().and_then(|pass| pass.until_ms)
    }

    /// Whether its time was over at that moment.
    #[must_use]
    pub fn has_expired(&self, wall_ms: u64) -> bool {
        self.role.pass.as_ref().is_some_and(|pass| pass.has_expired(wall_ms))
    }

    /// Its pass, while it is good.
    fn pass(&self, wall_ms: u64) -> Option<&Pass> {
        self.role.pass.as_deref().filter(|pass| !pass.has_expired(wall_ms))
    }

    fn valid(&self, right: Right, wall_ms: u64) -> impl Iterator<Item = &Grant> {
        let over = self.has_expired(wall_ms);
        let lasts = move |g: &&Grant| !over && g.expires_ms.is_none_or(|e| wall_ms < e);
        self.role.grants.iter().filter(move |g| g.right == right && lasts(g))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, matches) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a-b-b-c", true),
            ("*b", "ab", true),
            ("ab*ba", "aba", false),
            ("user(*)", "user(1)x", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), matches, "{pattern} on {name}");
        }
    }

    #[test]
    fn everything_leaves_out_assigned_channels() {
        let p = Principal::anonymous([Grant::parse("READ **").unwrap()].into());
        let name = ChannelName::new("user(1)").unwrap();
        assert!(p.may(Right::Read, &name, false, 0));
        assert!(!p.may(Right::Read, &name, true, 0));
        assert!(!p.may(Right::Write, &name, false, 0));
        let p = Principal::anonymous([Grant::parse("READ user(1)").unwrap()].into());
        assert!(p.may(Right::Read, &name, true, 0));
    }

    #[test]
    fn grants_expire() {
        let mut g = Grant::parse("WRITE a").unwrap();
        g.expires_ms = Some(10);
        let p = Principal::anonymous([g].into());
        assert!(p.may_by_name(Right::Write, "a", false, 9));
        assert!(!p.may_by_name(Right::Write, "a", false, 10));
    }

    #[test]
    fn bad_grants_say_what_is_wrong() {
        assert!(Grant::parse("SHOUT x").unwrap_err().contains("READ, WRITE or MANAGE"));
        assert!(Grant::parse("READ").unwrap_err().contains("pattern is missing"));
        assert!(Grant::parse("READ a b").unwrap_err().contains("one pattern"));
    }
}
