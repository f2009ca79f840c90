//! What the answers of several Devices mean together.

/// The result of one fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A Device has it.
    Delivered,
    /// Nobody could be reached now; the same as no Device at all (CONV-PM-044).
    Unreachable,
    /// Refused with this status.
    Refused(u16),
}

/// Weighs the final answers of all branches (CONV-PF-042). A branch without an answer counts as 408, one whose
/// transport failed as 503.
// spec: CONV-PF-042, CONV-PM-044
pub(crate) fn outcome(statuses: impl Iterator<Item = u16> + Clone) -> Outcome {
    if statuses.clone().any(|status| (200..300).contains(&status)) {
        return Outcome::Delivered;
    }
    if let Some(global) = statuses.clone().find(|status| *status >= 600) {
        return Outcome::Refused(global);
    }
    match statuses.filter(|status| !is_unreachable(*status)).min_by_key(|status| (rank(*status), *status)) {
        Some(status) => Outcome::Refused(status),
        None => Outcome::Unreachable,
    }
}

/// 415 first, then the lowest class.
fn rank(status: u16) -> u8 {
    match status {
        415 => 0,
        400..=499 => 1,
        _ => 2,
    }
}

/// The Device is away or busy. A challenge or a redirection of a Device cannot be passed on, and nobody here can
/// answer it: that Device is not reached either (CONV-PF-042).
fn is_unreachable(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 407 | 408 | 480 | 486 | 503)
}

/// Whether a status refuses the message itself, so that trying again will not help. 404 and 410 speak of the contact:
/// the Device has left it, and the message waits for its next registration.
pub(crate) fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && !is_unreachable(status) && !matches!(status, 404 | 410)
}

#[cfg(test)]
mod tests {
    use super::*;

    // test: CONV-PF-042, CONV-PM-044
    #[test]
    fn table() {
        let table: [(&[u16], Outcome); 18] = [
            (&[], Outcome::Unreachable),
            (&[200], Outcome::Delivered),
            (&[202], Outcome::Delivered),
            (&[480, 200], Outcome::Delivered),
            (&[603, 200], Outcome::Delivered),
            (&[480], Outcome::Unreachable),
            (&[408, 503, 486, 480], Outcome::Unreachable),
            (&[407], Outcome::Unreachable),
            (&[401, 302], Outcome::Unreachable),
            (&[480, 603], Outcome::Refused(603)),
            (&[415, 415], Outcome::Refused(415)),
            (&[480, 415], Outcome::Refused(415)),
            (&[400, 415], Outcome::Refused(415)),
            (&[500, 403], Outcome::Refused(403)),
            (&[500], Outcome::Refused(500)),
            (&[480, 500], Outcome::Refused(500)),
            (&[404, 400], Outcome::Refused(400)),
            (&[699, 400], Outcome::Refused(699)),
        ];
        for (statuses, expected) in table {
            assert_eq!(outcome(statuses.iter().copied()), expected, "{statuses:?}");
        }
    }

    #[test]
    fn refusals_are_the_answers_that_will_not_change() {
        for status in [400, 403, 413, 415, 488] {
            assert!(is_refusal(status), "{status}");
        }
        for status in [200, 302, 401, 404, 407, 408, 410, 480, 486, 500, 503, 603] {
            assert!(!is_refusal(status), "{status}");
        }
    }
}
