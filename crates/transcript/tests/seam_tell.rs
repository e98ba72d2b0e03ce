//! The seam on a made-up dialect: a message to one session, wherever it lives.

mod common;

use common::peers::Lines;
use common::puppet::{plan, puppet};
use common::stage::Stage;

fn id(stage: &mut Stage, lines: &mut Lines) -> String {
    lines.say("who");
    stage.settle();
    let heard = lines.heard();
    heard.last().and_then(|line| line.strip_prefix("i am ")).unwrap_or_default().to_owned()
}

#[test]
fn one_session_hears_and_whoever_asks_is_told_whether_it_did() {
    for shards in [1, 2] {
        let mut stage = Stage::build(plan(shards));
        let mut ann = puppet(&mut stage, "auth ann:1;hear;join tea");
        let mut bob = puppet(&mut stage, "auth bob:2;hear events");
        let mut deaf = puppet(&mut stage, "auth cid:3");
        let (of_ann, of_bob, of_deaf) =
            (id(&mut stage, &mut ann), id(&mut stage, &mut bob), id(&mut stage, &mut deaf));
        bob.say(&format!("whisper {of_ann} you psst"));
        stage.settle();
        assert_eq!(ann.heard(), ["you@1 psst"], "it is in no channel, and its position is its own");
        assert_eq!(bob.heard(), ["published 1"]);
        ann.say(&format!("whisper {of_bob} you and you"));
        stage.settle();
        assert_eq!(bob.heard(), ["event you@2 and you"]);
        assert_eq!(ann.heard(), ["published 1"]);
        bob.say(&format!("whisper {of_deaf} you hello?"));
        stage.settle();
        assert_eq!(bob.heard(), ["published 0"], "who does not hear is not there");
        assert!(deaf.heard().is_empty());
        ann.say("close");
        stage.settle();
        let mut eve = puppet(&mut stage, "auth eve:4;hear");
        bob.say(&format!("whisper {of_ann} you psst"));
        stage.settle();
        assert_eq!(bob.heard(), ["published 0"], "its place may have been given to somebody else");
        assert!(eve.heard().is_empty());
    }
}

#[test]
fn who_may_not_write_to_a_channel_of_that_name_may_not_say_it() {
    let mut stage = Stage::build(plan(1));
    let mut ann = puppet(&mut stage, "auth ann:1;hear");
    let of_ann = id(&mut stage, &mut ann);
    let mut stranger = puppet(&mut stage, "hear");
    stranger.say(&format!("whisper {of_ann} you psst"));
    stage.settle();
    assert!(ann.heard().is_empty());
    assert!(stranger.heard()[0].starts_with("refused NotGranted"));
}
