//! Commands of a stream are the same however it is cut. SPEC [DEV-3].

#![allow(clippy::unwrap_used, reason = "a test fails so, in its helpers too")]

use proptest::prelude::*;
use watchtower_dialect::wire::device::{Command, Decoder, Fault, Next, TOKEN};

const BOUND: usize = 300;

/// A command as its bytes, and as it should be heard.
fn command() -> impl Strategy<Value = (Vec<u8>, String)> {
    let written = |letter: u8, id: u32, channel: u32| {
        [&[letter][..], &id.to_le_bytes(), &channel.to_le_bytes()].concat()
    };
    let pair = (any::<u32>(), any::<u32>());
    prop_oneof![
        Just((b"R".to_vec(), format!("{:?}", Command::Register))),
        Just((b"K".to_vec(), format!("{:?}", Command::KeepAlive))),
        pair.prop_map(move |(id, channel)| {
            (written(b'J', id, channel), format!("{:?}", Command::Join { id, channel }))
        }),
        pair.prop_map(move |(id, channel)| {
            (written(b'L', id, channel), format!("{:?}", Command::Leave { id, channel }))
        }),
        prop::collection::vec(any::<u8>(), 0..=255).prop_map(|secret| {
            let bytes = [&[b'r', u8::try_from(secret.len()).unwrap()][..], &secret].concat();
            (bytes, format!("{:?}", Command::RegisterWith { secret: &secret }))
        }),
        (any::<u32>(), prop::collection::vec(any::<u8>(), TOKEN)).prop_map(|(id, token)| {
            let bytes = [&b"T"[..], &id.to_le_bytes(), &token].concat();
            (bytes, format!("{:?}", Command::Resume { id, token: &token }))
        }),
        (pair, prop::collection::vec(any::<u8>(), 0..=BOUND)).prop_map(move |((id, channel), body)| {
            let length = u32::try_from(body.len()).unwrap().to_le_bytes();
            let bytes = [&written(b'M', id, channel)[..], &length, &body].concat();
            (bytes, format!("{:?}", Command::Message { id, channel, body: &body }))
        }),
    ]
}

/// What is heard of a stream that comes in these pieces: commands, then the fault if there is one. `stop`: after which
/// commands nothing more is wanted until the next piece, or until it is asked again.
fn heard<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    stop: impl Fn(usize) -> bool,
) -> (Vec<String>, Option<Fault>, usize) {
    let (mut decoder, mut all) = (Decoder::default(), Vec::new());
    for piece in pieces {
        let mut piece = piece;
        loop {
            let before = all.len();
            let fed = decoder.feed(piece, BOUND, |c| {
                all.push(format!("{c:?}"));
                if stop(all.len()) { Next::Stop } else { Next::Go }
            });
            if let Err(fault) = fed {
                return (all, Some(fault), 0);
            }
            if all.len() == before {
                break;
            }
            piece = b"";
        }
    }
    (all, None, decoder.waiting())
}

fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|c| c % (bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|w| &bytes[w[0]..w[1]]).collect()
}

proptest! {
    #[test]
    fn any_cuts_of_any_commands(
        commands in prop::collection::vec((command(), "[\r\n]{0,3}"), 0..12),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        stop in any::<u64>(),
        half in 0_usize..400,
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for ((written, said), line_end) in &commands {
            bytes.extend_from_slice(written);
            bytes.extend_from_slice(line_end.as_bytes());
            expected.push(said.clone());
        }
        let stops = |n: usize| stop >> (n % 64) & 1 == 1;
        for pieces in [vec![&bytes[..]], cut(&bytes, &cuts), bytes.chunks(1).collect()] {
            let (all, fault, waiting) = heard(pieces.into_iter(), stops);
            prop_assert_eq!((&all, fault, waiting), (&expected, None, 0));
        }
        // Half of it is heard as far as it goes.
        let some = &bytes[..half.min(bytes.len())];
        let (all, fault, _) = heard(std::iter::once(some), |_| false);
        prop_assert!(fault.is_none() && expected.starts_with(&all));
    }

    /// Nonsense is as much nonsense in pieces, and nothing is heard after it.
    #[test]
    fn any_cuts_of_anything(
        bytes in prop::collection::vec(prop_oneof![Just(b'R'), Just(b'M'), Just(0), Just(b'\n'), any::<u8>()], 0..60),
        cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let whole = heard(std::iter::once(&bytes[..]), |_| false);
        prop_assert_eq!(&heard(cut(&bytes, &cuts).into_iter(), |_| false), &whole);
        prop_assert_eq!(&heard(bytes.chunks(1), |_| false), &whole);
    }
}
