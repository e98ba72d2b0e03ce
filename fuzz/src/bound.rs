//! Memory and work, counted: what reading an input may ask for is a multiple of the input's size.
//!
//! Counts what is asked of the allocator, never time. Memory asked for in all stands for work: whoever copies what
//! has arrived again and again asks for its square.

/// Bytes of memory held at once, for each byte of input.
const HELD: u64 = 64;
/// The same, whatever the input.
const HELD_ANYWAY: u64 = 64 << 10;
/// Bytes asked for in all, for each byte of input.
const ASKED: u64 = 4 * HELD;
/// The same, whatever the input.
const ASKED_ANYWAY: u64 = 4 * HELD_ANYWAY;

/// Does what reads `size` bytes of input, and panics when it asks for more memory than that is worth.
pub(crate) fn bounded(size: usize, read: impl FnOnce()) {
    bounded_beside(0, size, read);
}

/// The same, where so many bytes are beside it that may be held at once whatever the input.
pub(crate) fn bounded_beside(beside: usize, size: usize, read: impl FnOnce()) {
    let [beside, size] = [beside, size].map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
    let counted = allocation_counter::measure(read);
    let held = beside + HELD_ANYWAY + size * HELD;
    assert!(counted.bytes_max <= held, "{} bytes held at once for {size} of input", counted.bytes_max);
    let asked = 4 * beside + ASKED_ANYWAY + size * ASKED;
    assert!(
        counted.bytes_total <= asked,
        "{} bytes asked for in all for {size} of input",
        counted.bytes_total
    );
}

#[cfg(test)]
mod tests {
    use super::bounded;
    use std::hint::black_box;

    #[test]
    fn what_follows_the_input_is_fine() {
        bounded(1 << 16, || drop(black_box(vec![0_u8; 1 << 20])));
    }

    #[test]
    #[should_panic(expected = "held at once")]
    fn what_believes_an_announced_length_is_found() {
        bounded(10, || drop(black_box(vec![0_u8; 1 << 20])));
    }

    #[test]
    #[should_panic(expected = "asked for in all")]
    fn what_copies_all_again_for_each_byte_is_found() {
        let input = [0_u8; 4096];
        bounded(input.len(), || (0..input.len()).for_each(|n| drop(black_box(input[..n].to_vec()))));
    }
}
