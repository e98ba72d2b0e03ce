//! Tokens that are taken back before their time, by their ids (`jti`) or by their owners. Knows no files.

use model::Principal;
use std::collections::HashSet;

/// What is taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    ids: HashSet<Box<str>>,
    owners: HashSet<Box<str>>,
}

impl Revoked {
    /// Reads a list: in each line the id of a token, as it is or as `jti:ID`, or `sub:NAME` for all tokens of an owner.
    /// Lines of nothing, and those that begin with `#`, say nothing.
    ///
    /// # Errors
    /// The number of the first line that names nobody.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut revoked = Self::default();
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (list, word) = match line.strip_prefix("sub:") {
                Some(owner) => (&mut revoked.owners, owner),
                None => (&mut revoked.ids, line.strip_prefix("jti:").unwrap_or(line)),
            };
            let word = word.trim();
            if word.is_empty() {
                return Err(number);
            }
            list.insert(word.into());
        }
        Ok(revoked)
    }

    /// Whether what makes somebody this principal is taken back. One without a pass has shown no such token.
    pub(crate) fn has(&self, principal: &Principal) -> bool {
        let Some(pass) = principal.role.pass.as_deref() else { return false };
        let is_in = |list: &HashSet<Box<str>>, word: Option<&str>| word.is_some_and(|w| list.contains(w));
        is_in(&self.ids, pass.id.as_deref()) || is_in(&self.owners, principal.role.name.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Pass, Role};
    use std::sync::Arc;

    fn owner(name: &str, id: Option<&str>) -> Principal {
        let pass = Some(Box::new(Pass { id: id.map(Into::into), ..Pass::default() }));
        Principal { role: Arc::new(Role { name: Some(name.into()), pass, ..Role::default() }), address: None }
    }

    #[test]
    fn a_list_names_tokens_and_owners() {
        let list = "# taken back\n\n a1 \njti:sub:odd\nsub: ann\r\n";
        let revoked = Revoked::parse(list).unwrap();
        for (name, id, is_in) in [
            ("bob", Some("a1"), true),
            ("bob", Some("sub:odd"), true),
            ("bob", Some("a2"), false),
            ("bob", None, false),
            ("ann", Some("a2"), true),
            ("ann", None, true),
            // An owner's name is no token's id, nor the other way round.
            ("a1", Some("ann"), false),
        ] {
            assert_eq!(revoked.has(&owner(name, id)), is_in, "{name} {id:?}");
        }
        assert!(
            !revoked.has(&Principal::named("ann", Vec::new())),
            "whose token is one of the configuration"
        );
        assert_eq!(Revoked::parse("a\n\nsub: \n"), Err(3));
        assert_eq!(Revoked::parse("jti:"), Err(1));
    }
}
