use super::*;

fn entry(id: &str, sender: u8, size: u64) -> Entry {
    Entry {
        key: MessageKey::of("s", id),
        content: ContentKey::of("s", id, b""),
        sender: [sender; 16],
        notification: None,
        size,
        expires: Duration::from_secs(100),
        attempts: 0,
        refusals: 0,
    }
}

fn put(queue: &mut Queue, id: &str, sender: u8) -> u64 {
    let seq = queue.reserve(10, 1000, 1 << 20).unwrap();
    queue.commit(seq, entry(id, sender, 10));
    seq
}

// test: CONV-DF-012
#[test]
fn count_limit_counts_promises_too() {
    for promised in [false, true] {
        let mut queue = Queue::default();
        for id in 0..3 {
            let seq = queue.reserve(1, 3, 1000).unwrap();
            if !promised {
                queue.commit(seq, entry(&id.to_string(), 1, 1));
            }
        }
        assert_eq!(queue.reserve(1, 3, 1000), Err(Full));
        if promised {
            queue.release(1);
        } else {
            let first = queue.front().unwrap().0;
            queue.remove(first);
        }
        assert!(queue.reserve(1, 3, 1000).is_ok());
    }
}

// test: CONV-DF-012
#[test]
fn byte_limit_at_n_minus_1_n_and_n_plus_1() {
    for (size, ok) in [(89, true), (90, true), (91, false)] {
        let mut queue = Queue::default();
        let seq = queue.reserve(10, 100, 100).unwrap();
        queue.commit(seq, entry("a", 1, 10));
        assert_eq!(queue.reserve(size, 100, 100).is_ok(), ok, "{size}");
    }
}

// test: CONV-DF-010
#[test]
fn front_is_the_oldest_whoever_sent_it() {
    let mut queue = Queue::default();
    let a = put(&mut queue, "a", 1);
    let b = put(&mut queue, "b", 2);
    assert_eq!(queue.front().unwrap().0, a);
    assert!(queue.holds_sender(&[2; 16]) && !queue.holds_sender(&[3; 16]));
    queue.remove(a);
    assert_eq!(queue.front().unwrap().0, b);
    queue.remove(b);
    assert!(queue.is_empty() && queue.front().is_none());
}

#[test]
fn places_are_not_reused_after_a_failed_write_or_a_restore() {
    let mut queue = Queue::default();
    let lost = queue.reserve(1, 10, 10).unwrap();
    queue.release(1);
    assert!(queue.reserve(1, 10, 10).unwrap() > lost);
    let mut queue = Queue::default();
    queue.restore(41, entry("a", 1, 1));
    assert!(queue.reserve(1, 10, 10).unwrap() > 41);
}

// test: CONV-IMDN-051
#[test]
fn displayed_finds_the_queued_delivered() {
    let mut queue = Queue::default();
    let about = MessageKey::of("alice", "m");
    let seq = queue.reserve(1, 10, 100).unwrap();
    let note = Entry { notification: Some((about, Notification::Delivered)), ..entry("n", 1, 1) };
    queue.commit(seq, note);
    assert_eq!(queue.superseded(about), Some(seq));
    assert_eq!(queue.superseded(MessageKey::of("alice", "other")), None);
}

#[test]
fn the_third_refusal_ends_it_and_being_away_never_does() {
    let mut queue = Queue::default();
    let a = put(&mut queue, "a", 1);
    for _ in 0..50 {
        assert!(matches!(queue.failed(a, false), AfterFailure::Wait(_)));
    }
    assert!(matches!(queue.failed(a, true), AfterFailure::Wait(_)));
    assert!(matches!(queue.failed(a, true), AfterFailure::Wait(_)));
    assert_eq!(queue.failed(a, true), AfterFailure::Drop);
}

// test: CONV-DF-002
#[test]
fn expiry_is_at_the_moment_not_before() {
    let mut queue = Queue::default();
    let a = put(&mut queue, "a", 1);
    assert_eq!(queue.first_expiry(), Some(Duration::from_secs(100)));
    assert_eq!(queue.expired(Duration::from_millis(99_999)), []);
    assert_eq!(queue.expired(Duration::from_secs(100)), [a]);
}
