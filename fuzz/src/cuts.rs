//! Where an input is cut: the first bytes of a case say how, the rest is what a peer sends.

/// What the first bytes of an input decide.
pub(crate) struct Case<'a> {
    /// Eight choices of the target.
    pub(crate) flags: u8,
    /// How large the pieces are, one after the other, again and again.
    sizes: [u8; 3],
    /// What a peer sends.
    pub(crate) sent: &'a [u8],
}

/// Inputs up to this long are also read byte by byte.
const SHORT: usize = 2048;

impl<'a> Case<'a> {
    /// `None`: too short to say.
    pub(crate) fn read(input: &'a [u8]) -> Option<Self> {
        let ([flags, sizes @ ..], sent) = input.split_first_chunk::<4>()?;
        Some(Self { flags: *flags, sizes: *sizes, sent })
    }

    /// Whether a choice was made; `0..8`.
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags >> flag & 1 == 1
    }

    /// These bytes in pieces of the sizes that the input chose.
    fn pieces<'b>(&self, mut rest: &'b [u8]) -> Vec<&'b [u8]> {
        let mut sizes = self.sizes.iter().cycle();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let size = sizes.next().map_or(1, |size| usize::from(*size) + 1);
            let (piece, after) = rest.split_at_checked(size).unwrap_or((rest, &[]));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }

    /// The ways to cut what is sent that must make no difference: whole first.
    pub(crate) fn ways(&self) -> Vec<Vec<&'a [u8]>> {
        self.cut(self.sent)
    }

    /// The same ways to cut something else.
    pub(crate) fn cut<'b>(&self, bytes: &'b [u8]) -> Vec<Vec<&'b [u8]>> {
        let mut ways = vec![vec![bytes], self.pieces(bytes)];
        if bytes.len() <= SHORT {
            ways.push(bytes.chunks(1).collect());
        }
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn pieces_are_cut_as_the_input_says() {
        let case = Case::read(b"\x05\x00\x01\x02abcdefgh").unwrap();
        assert_eq!(case.pieces(case.sent), [&b"a"[..], b"bc", b"def", b"g", b"h"]);
        assert!(case.has(0) && !case.has(1) && case.has(2) && !case.has(7));
        assert_eq!(case.ways().len(), 3);
        assert!(case.ways().iter().all(|way| way.concat() == b"abcdefgh"));
        assert!(Case::read(b"abc").is_none());
    }
}
