use super::{Conversations, Seen, SeenMessage, Step};

fn message(message_id: &str, sender: &str) -> SeenMessage {
    SeenMessage {
        message_id: message_id.into(),
        sender: sender.into(),
        reply_to: sender.into(),
        recipient_uri: "sip:anonymous@anonymous.invalid".into(),
        original_to: None,
        datetime: "2026-11-25T14:00:00Z".into(),
        conversation_id: "c".into(),
        contribution_id: "d".into(),
        routes: Vec::new(),
        delivery: Step::Wanted,
        display: Step::Unwanted,
    }
}

// test: CONV-PM-022
#[test]
fn a_message_is_known_by_sender_and_id_together() {
    let mut seen = Seen::new(8);
    let first = seen.insert(message("m1", "sip:a@x"));
    let second = seen.insert(message("m1", "sip:b@x"));
    assert_eq!(seen.find("sip:a@x", "m1"), Some(first));
    assert_eq!(seen.find("sip:b@x", "m1"), Some(second));
    assert_eq!(seen.find("sip:a@x", "m2"), None);
    assert_eq!(seen.newest("m1"), Some(second));
    assert_eq!(seen.newest("m"), None);
}

#[test]
fn the_oldest_makes_room_at_the_limit() {
    for (count, first_known) in [(2, true), (3, true), (4, false)] {
        let mut seen = Seen::new(3);
        for at in 0..count {
            seen.insert(message(&format!("m{at}"), "sip:a@x"));
        }
        assert_eq!(seen.find("sip:a@x", "m0").is_some(), first_known, "{count} messages in a table for 3");
        assert_eq!(seen.entries.len(), seen.index.len());
        assert!(seen.find("sip:a@x", &format!("m{}", count - 1)).is_some());
    }
}

// test: CONV-HDR-004
#[test]
fn a_peer_keeps_its_conversation_until_it_is_the_oldest_of_too_many() {
    let mut conversations = Conversations::new(2);
    assert_eq!(conversations.keep("sip:a@x", || "1".into()), "1");
    assert_eq!(conversations.keep("sip:a@x", || "2".into()), "1");
    assert_eq!(conversations.keep("sip:b@x", || "3".into()), "3");
    assert_eq!(conversations.keep("sip:c@x", || "4".into()), "4");
    assert_eq!(conversations.keep("sip:b@x", || "5".into()), "3");
    assert_eq!(conversations.keep("sip:a@x", || "6".into()), "6");
}
