use super::{Verdict, back_off, judge};
use std::time::Duration;

// test: CONV-PM-013, CONV-PM-016, CONV-IMDN-060
#[test]
fn statuses_are_judged_by_kind() {
    let later = Some(Duration::from_secs(7));
    // (status, text, notification)
    let table = [
        (200, Verdict::Accepted(200), Verdict::Accepted(200)),
        (202, Verdict::Accepted(202), Verdict::Accepted(202)),
        (400, Verdict::Failed, Verdict::Failed),
        (403, Verdict::Failed, Verdict::Failed),
        (404, Verdict::Failed, Verdict::Failed),
        (408, Verdict::Again(later), Verdict::Again(later)),
        (415, Verdict::Failed, Verdict::Failed),
        (480, Verdict::Failed, Verdict::Again(later)),
        (486, Verdict::Failed, Verdict::Failed),
        (500, Verdict::Failed, Verdict::Again(later)),
        (503, Verdict::Again(later), Verdict::Again(later)),
        (504, Verdict::Failed, Verdict::Again(later)),
        (600, Verdict::Failed, Verdict::Failed),
        (603, Verdict::Failed, Verdict::Failed),
    ];
    for (status, text, notification) in table {
        assert_eq!(judge(false, status, later), text, "text, {status}");
        assert_eq!(judge(true, status, later), notification, "notification, {status}");
    }
}

#[test]
fn pauses_double_up_to_the_longest() {
    let (first, longest) = (Duration::from_secs(2), Duration::from_secs(60));
    let pauses: Vec<u64> =
        [1, 2, 3, 4, 5, 6, 7, 33, 200].iter().map(|at| back_off(*at, first, longest).as_secs()).collect();
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60, 60]);
}
