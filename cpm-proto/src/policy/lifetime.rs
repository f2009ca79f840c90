//! How long a message is kept and when its delivery is tried again.

use std::time::Duration;

/// A validity limit as a header field gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// So long from its starting point.
    After(Duration),
    /// A moment, since the Unix epoch.
    At(Duration),
}

/// When a message that arrived at `arrival` is dropped, since the Unix epoch; `None` if it may not be kept at
/// all. `message_expires` counts from arrival, `expires` (RFC 3428 §8) from `date` or else from arrival; the
/// smallest of them and of `max` rules.
// spec: CONV-DF-002, CONV-PM-017, CONV-HDR-008
pub(crate) fn expiry(
    arrival: Duration,
    date: Option<Duration>,
    message_expires: Option<Limit>,
    expires: Option<Limit>,
    max: Duration,
) -> Option<Duration> {
    let end = |limit: Limit, start: Duration| match limit {
        Limit::After(wait) => start.saturating_add(wait),
        Limit::At(at) => at,
    };
    // A Date in the future must not prolong what the sender asked for.
    let start = date.map_or(arrival, |date| date.min(arrival));
    let mut at = arrival.saturating_add(max);
    if let Some(limit) = message_expires {
        at = at.min(end(limit, arrival));
    }
    if let Some(limit) = expires {
        at = at.min(end(limit, start));
    }
    (at > arrival).then_some(at)
}

/// Wait before the next round of delivery after `attempts` failed rounds: 30 s, doubled, at most an hour
/// (conversation digest §17).
pub(crate) fn backoff(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(7);
    Duration::from_secs(30).saturating_mul(1 << doublings).min(Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: fn(u64) -> Duration = Duration::from_secs;

    // test: CONV-DF-002, CONV-PM-017, CONV-HDR-008
    #[test]
    fn the_smallest_limit_rules() {
        let after = |secs| Some(Limit::After(SEC(secs)));
        let (now, max) = (SEC(1000), SEC(100));
        assert_eq!(expiry(now, None, None, None, max), Some(SEC(1100)));
        assert_eq!(expiry(now, None, after(50), None, max), Some(SEC(1050)));
        assert_eq!(expiry(now, None, after(500), None, max), Some(SEC(1100)));
        assert_eq!(expiry(now, None, after(50), after(20), max), Some(SEC(1020)));
        assert_eq!(expiry(now, Some(SEC(990)), None, after(20), max), Some(SEC(1010)));
        assert_eq!(expiry(now, Some(SEC(5000)), None, after(20), max), Some(SEC(1020)));
        assert_eq!(expiry(now, None, Some(Limit::At(SEC(1001))), None, max), Some(SEC(1001)));
    }

    // test: CONV-HDR-008
    #[test]
    fn nothing_is_kept_for_no_time() {
        let now = SEC(1000);
        assert_eq!(expiry(now, None, Some(Limit::After(SEC(0))), None, SEC(100)), None);
        assert_eq!(expiry(now, None, Some(Limit::At(SEC(999))), None, SEC(100)), None);
        assert_eq!(expiry(now, Some(SEC(900)), None, Some(Limit::After(SEC(100))), SEC(500)), None);
        assert_eq!(expiry(now, None, None, None, SEC(0)), None);
    }

    #[test]
    fn backoff_doubles_up_to_an_hour() {
        let secs: Vec<u64> = (1..=10).map(|attempts| backoff(attempts).as_secs()).collect();
        assert_eq!(secs, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(backoff(0).as_secs(), 30);
        assert_eq!(backoff(u32::MAX).as_secs(), 3600);
    }
}
