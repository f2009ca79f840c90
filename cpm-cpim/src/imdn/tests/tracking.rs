//! The tracker: a join, so order and repetition do not matter.

use std::time::{Duration, Instant};

use super::*;
use crate::cpim::Dispositions;

fn tracker() -> (ImdnTracker, Instant) {
    let now = Instant::now();
    let mut tracker = ImdnTracker::new(10, 10);
    tracker.sent(now, "m", Dispositions::NONE, ["bob", "carol"]).unwrap();
    (tracker, now)
}

const DELIVERED: Notification = Notification::Delivery(Delivery::Delivered);
const DISPLAYED: Notification = Notification::Display(Display::Displayed);

// test: CONV-IMDN-040
#[test]
fn delivered_then_displayed() {
    let (mut tracker, _) = tracker();
    assert_eq!(tracker.state("m", "bob"), Some(RecipientState::Pending));
    let rose = |state| Recorded::New { state, rose: true };
    assert_eq!(tracker.notified("m", "bob", DELIVERED), rose(RecipientState::Delivered));
    assert_eq!(tracker.notified("m", "bob", DELIVERED), Recorded::Known);
    assert_eq!(tracker.notified("m", "bob", DISPLAYED), rose(RecipientState::Displayed));
    assert_eq!(tracker.notified("m", "bob", DISPLAYED), Recorded::Known);
    assert_eq!(tracker.state("m", "carol"), Some(RecipientState::Pending));
    let all: Vec<_> = tracker.states("m").collect();
    assert_eq!(all, [("bob", RecipientState::Displayed), ("carol", RecipientState::Pending)]);
}

/// A delivery after the display is dropped.
// test: CONV-IMDN-040
#[test]
fn displayed_implies_delivered() {
    let (mut tracker, _) = tracker();
    let recorded = tracker.notified("m", "bob", DISPLAYED);
    assert_eq!(recorded, Recorded::New { state: RecipientState::Displayed, rose: true });
    assert_eq!(tracker.notified("m", "bob", DELIVERED), Recorded::Known);
    assert_eq!(tracker.notified("m", "bob", Notification::Delivery(Delivery::Failed)), Recorded::Known);
}

#[test]
fn levels() {
    let (mut tracker, _) = tracker();
    for (notification, state) in [
        (Notification::Delivery(Delivery::Error), RecipientState::Pending),
        (Notification::Display(Display::Forbidden), RecipientState::Pending),
        (Notification::Processing(Processing::Stored), RecipientState::Processed),
        (Notification::Delivery(Delivery::Failed), RecipientState::Failed),
        (Notification::Interworking(Interworking::LegacySms), RecipientState::Interworked),
        (DELIVERED, RecipientState::Delivered),
        (DISPLAYED, RecipientState::Displayed),
    ] {
        let before = tracker.state("m", "bob").unwrap();
        assert_eq!(
            tracker.notified("m", "bob", notification),
            Recorded::New { state, rose: state > before },
            "{notification:?}"
        );
        assert_eq!(tracker.notified("m", "bob", notification), Recorded::Known);
    }
    assert_eq!(tracker.notified("m", "carol", Notification::Extension), Recorded::Known);
}

// test: CONV-IMDN-061 CONV-IMDN-062 CONV-IMDN-063
#[test]
fn unknown_and_forgotten() {
    let (mut tracker, now) = tracker();
    assert_eq!(tracker.notified("other", "bob", DELIVERED), Recorded::UnknownMessage);
    assert_eq!(tracker.notified("m", "mallory", DELIVERED), Recorded::UnknownRecipient);
    let later = now + Duration::from_secs(60);
    let want = Dispositions { display: true, ..Dispositions::NONE };
    tracker.sent(later, "n", want, ["bob"]).unwrap();
    assert_eq!(tracker.wanted("n"), Some(want));
    assert_eq!(tracker.forget_before(now), 0);
    assert_eq!(tracker.forget_before(later), 1);
    assert_eq!(tracker.notified("m", "bob", DELIVERED), Recorded::UnknownMessage);
    assert_eq!(tracker.len(), 1);
    assert_eq!(tracker.forget_before(later + Duration::from_secs(1)), 1);
    assert!(tracker.is_empty());
}

#[test]
fn bounds() {
    let now = Instant::now();
    let mut tracker = ImdnTracker::new(2, 2);
    let send =
        |t: &mut ImdnTracker, id: &str, to: &[&str]| t.sent(now, id, Dispositions::NONE, to.iter().copied());
    assert_eq!(send(&mut tracker, "1", &["a", "b", "c"]), Err(TrackerFull));
    assert!(tracker.is_empty(), "nothing changed");
    assert_eq!(send(&mut tracker, "1", &["a", "b", "a"]), Ok(()));
    assert_eq!(send(&mut tracker, "2", &["a"]), Ok(()));
    assert_eq!(send(&mut tracker, "3", &["a"]), Err(TrackerFull));
    // Adding to a tracked message keeps what is known.
    tracker.notified("2", "a", DELIVERED);
    assert_eq!(send(&mut tracker, "2", &["a", "b"]), Ok(()));
    assert_eq!(tracker.state("2", "a"), Some(RecipientState::Delivered));
    assert_eq!(send(&mut tracker, "2", &["c"]), Err(TrackerFull));
}

proptest! {
    /// The end state depends on the set of notifications only.
    #[test]
    fn any_order(notifications in proptest::collection::vec(any_notification(), 0..8), seed in any::<u64>()) {
        let end = |order: &[Notification]| {
            let (mut tracker, _) = tracker();
            let mut highest = RecipientState::Pending;
            for &n in order {
                if let Recorded::New { state, rose } = tracker.notified("m", "bob", n) {
                    assert!(state >= highest && rose == (state > highest));
                    highest = state;
                }
            }
            highest
        };
        let straight = end(&notifications);
        let mut shuffled = notifications.clone();
        shuffled.extend(notifications.iter().copied());
        let mut random = seed;
        for i in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, usize::try_from(random >> 33).unwrap() % (i + 1));
        }
        prop_assert_eq!(end(&shuffled), straight);
    }
}
