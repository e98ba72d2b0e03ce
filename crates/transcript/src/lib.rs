//! Plain-text plays of what peers say, and the stages they are performed on. For development only.
//!
//! A play is a test and its documentation at once: what the peers said, in order, and nothing else.
//!
//! ```
//! use transcript::{Play, Rehearsal, perform};
//!
//! let play = Play::parse(
//!     "hello.transcript".as_ref(),
//!     r#"# A room carries what one client says to every member.
//! set: rooms.greeting = false
//!
//! + A rooms
//! + B http
//! A> {"event":"subscribe","payload":["chat"]}
//! A< {"msg":"Subscribed to chat"}
//! B> POST /c/chat [X-Event: tick] "tea"
//! B< 202 {"members":1}
//! A< {"event":"chat","payload":"tea","name":"tick"}
//! "#,
//! )
//! .unwrap();
//! perform(&play, &mut Rehearsal::of(&play, 1).unwrap()).unwrap();
//! ```
//!
//! # Lines
//!
//! ```text
//! # text            prose; the first paragraph is the title
//! spec: SUB-3, A-2  promises this play proves
//! set: key = value  how the server is set, above the first `+`
//! proved: text      against whose server the play was tried
//! + A rooms         peer A enters: a WebSocket, on `/` unless `/path [Header: value]` follows
//! + S socketio      peer S enters: a WebSocket, on `/socket.io/?EIO=4&transport=websocket` unless a path follows
//! + B http          peer B enters: a connection that speaks HTTP
//! + D device        peer D enters: a Watchtower device over TCP; `device-udp`: over UDP
//! A> words          A sends one frame, or one request
//! A< words          A hears exactly this, next
//! A<~ words         A hears this, in any order with its `<~` neighbours
//! A<-               A hears nothing (until now)
//! A! SlowConsumer   A's session ended, for this reason; a WebSocket close code may follow it
//! A x               A's socket drops without a word
//! A holds           A reads nothing from here: what it is sent waits in the server
//! A reads           A reads again
//! @+25s             time passes (ms, s, m, h); deadlines in between fire in order
//! @ tick            run until nothing is due
//! @ drain           the server is told to stop
//! ```
//!
//! `node`, `cut` and `join` are refused until there are clusters. A peer hears nothing that no line shows: a frame
//! too many fails at the next line that names the peer, or at the end.
//!
//! # Words
//!
//! Text is written as it is, its line breaks as `\n` and `\r`, the separator of records U+001E as `␞`; bytes as `0x` and pairs of hex digits. In what is
//! expected `…` is anything, `$name` is bound where it first occurs and must be the same from there on, and `$$` is
//! a dollar; in what is said a bound `$name` is replaced.
//!
//! A request is `METHOD /path [Header: value] body`. `Host` and the length are added, and for
//! `[Upgrade: websocket]` what belongs to it; after the `101` frames are said and heard on that connection. A
//! response is heard as `status body`; headers between the two, `401 [WWW-Authenticate: Bearer] …`, must be there,
//! others may. A response that goes on is heard as its status, then each unit without the line breaks at its end: a
//! unit of nothing else is a bare `A<`.
//!
//! A device says its commands in words, `R`, `r SECRET`, `T ID TOKEN`, `J ID CHANNEL`, `M ID CHANNEL BODY` and so on,
//! several in one piece with ` ;; ` between them, or any bytes as `0x…`. It hears frames in words: `A 5`, `E`,
//! `M SENDER CHANNEL BODY`.
//!
//! # Settings
//!
//! A key is one of chappe's configuration, the section of a dialect called by its name: `limits.message_bytes`,
//! `anonymous.grants`, `rooms.greeting`. For lists there are `channel.window = PATTERN MESSAGES`,
//! `channel.slow = PATTERN POLICY` and `auth.token = NAME SECRET GRANT, GRANT`.
//!
//! # Stages
//!
//! [`Rehearsal`] is a whole node in memory, on a clock that moves when the play says so: milliseconds, and the same
//! every time. [`Live`] is a server on loopback, where time cannot be made to pass, nor a reader to hold, nor the
//! server to stop: plays that need it are rehearsed only. [`rehearse`] and [`perform_live`] take whole folders.
//! With `BLESS=1`, which is what `cargo xtask bless` sets, plays that differ from what happens are rewritten.
//!
//! Under all this, and for simulations: [`sim`] is a network in memory, [`house`] a whole node on it.

pub mod sim;
pub mod house;
pub mod play;
pub mod stage;
pub mod perform;
pub mod folder;
mod client;
mod settings;
mod bless;

pub use folder::{perform_live, rehearse};
pub use perform::{Difference, perform};
pub use play::{Mistake, Play};
pub use stage::Stage;
pub use stage::live::Live;
pub use stage::rehearsal::Rehearsal;
