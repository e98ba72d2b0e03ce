//! Every play of this dialect, in memory. `BLESS=1` rewrites those that fail.

#[test]
fn plays() {
    transcript::rehearse(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"));
}
