//! Every play between dialects, in memory. `BLESS=1` rewrites those that fail.

#[test]
fn plays() {
    transcript::rehearse(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"));
}
