//! Plays whose peers speak different dialects: `SPEC.md` says what is promised, `transcripts/` shows it.
//!
//! Nothing to use is in here. `tests/transcripts.rs` rehearses the plays, `tests/live.rs` performs them, and those
//! of every dialect, on sockets.
