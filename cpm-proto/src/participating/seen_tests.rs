use super::*;
use crate::store::model::ContentKey;

const BOB: UserId = UserId(1);
const MALLORY: UserId = UserId(2);

fn table(limit: usize) -> Seen {
    Seen::new(HashSeed([1, 2]), limit)
}

fn record(expires: u64) -> SeenRecord {
    SeenRecord {
        status: 200,
        queued: false,
        delivered: false,
        displayed: false,
        content: ContentKey::default(),
        expires,
    }
}

// test: CONV-IMDN-040, CONV-PF-070
#[test]
fn each_notification_passes_once_and_delivered_never_after_displayed() {
    let key = MessageKey::of("alice", "m");
    let (delivered, displayed) = (Notification::Delivered, Notification::Displayed);
    // (delivered passed, displayed passed) -> verdict for delivered, for displayed
    let table_of_states = [
        (false, false, Verdict::Pass, Verdict::Pass),
        (true, false, Verdict::Repeated, Verdict::Pass),
        (false, true, Verdict::Repeated, Verdict::Repeated),
        (true, true, Verdict::Repeated, Verdict::Repeated),
    ];
    for (was_delivered, was_displayed, on_delivered, on_displayed) in table_of_states {
        let mut seen = table(10);
        let state = SeenRecord { delivered: was_delivered, displayed: was_displayed, ..record(9) };
        seen.put(BOB, key, state);
        assert_eq!(seen.judge(BOB, key, delivered), on_delivered);
        assert_eq!(seen.judge(BOB, key, displayed), on_displayed);
        assert_eq!(seen.judge(BOB, key, Notification::Other), Verdict::Pass);
    }
}

// test: CONV-IMDN-063
#[test]
fn only_a_recipient_is_believed() {
    let mut seen = table(10);
    let key = MessageKey::of("alice", "m");
    seen.put(BOB, key, record(9));
    assert_eq!(seen.judge(MALLORY, key, Notification::Displayed), Verdict::Forged);
    assert_eq!(
        seen.judge(MALLORY, MessageKey::of("alice", "unknown"), Notification::Displayed),
        Verdict::Pass
    );
    seen.forget(BOB, key);
    assert_eq!(seen.judge(MALLORY, key, Notification::Displayed), Verdict::Pass);
}

#[test]
fn the_limit_forgets_what_ends_first() {
    for (count, forgotten) in [(2, 0), (3, 0), (4, 1)] {
        let mut seen = table(3);
        let mut lost = Vec::new();
        for at in 0..count {
            let key = MessageKey::of("alice", &at.to_string());
            lost.extend(seen.put(BOB, key, record(100 - at)));
        }
        assert_eq!(lost.len(), forgotten);
        assert_eq!(seen.len(), (count as usize).min(3));
        if forgotten == 1 {
            assert_eq!(lost, [(BOB, MessageKey::of("alice", "3"))]);
        }
    }
}

#[test]
fn expiry_empties_everything() {
    let mut seen = table(10);
    for at in 0..3 {
        seen.put(BOB, MessageKey::of("alice", &at.to_string()), record(at));
    }
    seen.put(BOB, MessageKey::of("alice", "0"), record(7));
    assert_eq!(seen.first_expiry(), Some(1));
    assert_eq!(seen.expire(2, 1).len(), 1);
    assert_eq!(seen.expire(2, 9).len(), 1);
    assert_eq!(seen.expire(7, 9), [(BOB, MessageKey::of("alice", "0"))]);
    assert!(seen.len() == 0 && seen.first_expiry().is_none() && seen.recipients.is_empty());
}
