//! Names of channels with holes for claims: `user({user_id})`.
//!
//! What fills a hole is taken as it is, and is never a pattern. Two owners never get one channel by it: what stands
//! between two holes cannot stand in the first.

use super::rules::word;
use super::token::Members;
use model::{ChannelName, Pattern, TokenFlaw};
use std::borrow::Cow;

/// What stands in for a claim: the host of the page, as its browser says.
const PAGE: &str = "|origin.host";

#[derive(Clone, PartialEq, Eq, Debug)]
struct Hole {
    claim: Box<str>,
    /// Whether a token without that claim is refused; if not, its owner goes without the channel.
    required: bool,
    /// Whether the host of the page stands in for a claim that is missing.
    or_page: bool,
    /// What follows, up to the next hole or to the end.
    after: Box<str>,
}

/// A name with holes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    before: Box<str>,
    holes: Box<[Hole]>,
}

impl Template {
    /// Reads `user({user_id})`. `{claim!}` is required, and so is a claim that `is_name` says names the owner. Of
    /// `{claim|origin.host}` the page's host takes the place where there is no such claim.
    ///
    /// # Errors
    /// In words: what is wrong with the text.
    pub fn parse(text: &str, is_name: impl Fn(&str) -> bool) -> Result<Self, String> {
        let mut parts = text.split('{');
        let before = parts.next().unwrap_or_default();
        let mut holes = Vec::new();
        for part in parts {
            let (claim, after) =
                part.split_once('}').ok_or_else(|| format!("`{text}`: a `}}` is missing"))?;
            let (claim, or_page) = claim.strip_suffix(PAGE).map_or((claim, false), |claim| (claim, true));
            let required = claim.ends_with('!');
            let claim = claim.strip_suffix('!').unwrap_or(claim);
            if claim.is_empty() {
                return Err(format!("`{text}`: a claim's name is missing between `{{` and `}}`"));
            }
            if or_page && is_name(claim) {
                return Err(format!("`{text}`: no page stands in for the name of an owner"));
            }
            let required = required || is_name(claim);
            holes.push(Hole { claim: claim.into(), required, or_page, after: after.into() });
        }
        let template = Self { before: before.into(), holes: holes.into() };
        if text.contains('*') {
            return Err(format!("`{text}`: a channel of one's own is no pattern"));
        }
        if template.before.contains('}') || template.holes.iter().any(|h| h.after.contains('}')) {
            return Err(format!("`{text}`: a `{{` is missing"));
        }
        let Some((_, inner)) = template.holes.split_last() else {
            return Err(format!("`{text}`: without a claim it would be everybody's"));
        };
        if inner.iter().any(|h| h.after.is_empty()) {
            return Err(format!("`{text}`: something must stand between two claims"));
        }
        Ok(template)
    }

    /// The pattern of all names that it can become.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        let holes: String = self.holes.iter().map(|h| format!("*{}", h.after)).collect();
        Pattern::new(&format!("{}{holes}", self.before))
    }

    /// Whether it matters on which page a token is shown.
    pub(crate) fn asks_for_page(&self) -> bool {
        self.holes.iter().any(|hole| hole.or_page)
    }

    /// The name for who has these claims, on a page of this host; `None`: one that is not required is missing. What
    /// a token claims no page gainsays.
    pub(crate) fn fill(
        &self,
        claims: &Members,
        page: Option<&str>,
    ) -> Result<Option<ChannelName>, TokenFlaw> {
        let mut name = self.before.to_string();
        for (number, hole) in self.holes.iter().enumerate() {
            let claim = || hole.claim.clone();
            let page = || page.filter(|_| hole.or_page).map(Cow::Borrowed);
            let Some(value) = word(claims, &hole.claim)?.or_else(page) else {
                return if hole.required { Err(TokenFlaw::NoClaim { claim: claim() }) } else { Ok(None) };
            };
            let is_inner = number + 1 < self.holes.len();
            if is_inner && value.contains(&*hole.after) {
                return Err(TokenFlaw::BadClaim { claim: claim() });
            }
            name.push_str(&value);
            name.push_str(&hole.after);
            ChannelName::check(&name).map_err(|_| TokenFlaw::BadClaim { claim: claim() })?;
        }
        ChannelName::new(&name).map(Some).map_err(|_| TokenFlaw::Unreadable)
    }
}
