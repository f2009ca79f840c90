//! Timer values of RFC 3261 table 4 (§A), RFC 6026 (L, M), RFC 4320 (the delayed 100) and our own deadlines for
//! states that the RFCs leave open.

use std::time::Duration;

/// A transaction timer; letters are those of RFC 3261 §17 and RFC 6026.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// INVITE request retransmit interval, unreliable transports only: T1, doubled.
    A,
    /// INVITE transaction timeout: 64 T1.
    B,
    /// Deadline of an INVITE that got a provisional response (RFC 3261 §16.6 step 11): above 3 minutes.
    C,
    /// Wait for response retransmits: at least 32 s; zero on reliable transports.
    D,
    /// Non-INVITE request retransmit interval, unreliable transports only: T1, doubled, at most T2.
    E,
    /// Non-INVITE transaction timeout: 64 T1.
    F,
    /// INVITE response retransmit interval, unreliable transports only: T1, doubled, at most T2.
    G,
    /// Wait for ACK: 64 T1.
    H,
    /// Wait for ACK retransmits: T4; zero on reliable transports.
    I,
    /// Wait for non-INVITE request retransmits: 64 T1; zero on reliable transports.
    J,
    /// Wait for response retransmits: T4; zero on reliable transports.
    K,
    /// Wait for accepted INVITE request retransmits (RFC 6026): 64 T1.
    L,
    /// Wait for retransmission of 2xx to INVITE or additional 2xx from other branches (RFC 6026): 64 T1.
    M,
    /// `100 Trying` becomes due for an INVITE the owner did not answer (RFC 3261 §17.2.1).
    Trying,
    /// `100 Trying` becomes due for another request: when Timer E would be reset to T2 (RFC 4320 §4.1).
    LateTrying,
    /// The owner of a server INVITE transaction must have answered.
    Owner,
    /// The owner of another server transaction must have answered: the client's Timer F.
    Expire,
    /// After CANCEL: the final response must come within 64 T1 (RFC 3261 §9.1).
    CancelWait,
}

impl Timer {
    /// The name shown by `poll_timeout` and in traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "sip.A",
            Self::B => "sip.B",
            Self::C => "sip.C",
            Self::D => "sip.D",
            Self::E => "sip.E",
            Self::F => "sip.F",
            Self::G => "sip.G",
            Self::H => "sip.H",
            Self::I => "sip.I",
            Self::J => "sip.J",
            Self::K => "sip.K",
            Self::L => "sip.L",
            Self::M => "sip.M",
            Self::Trying => "sip.trying",
            Self::LateTrying => "sip.late-trying",
            Self::Owner => "sip.owner",
            Self::Expire => "sip.expire",
            Self::CancelWait => "sip.cancel-wait",
        }
    }

    /// Whether the timer repeats something; such a timer runs beside the one that ends the state.
    pub fn repeats(self) -> bool {
        matches!(self, Self::A | Self::E | Self::G | Self::Trying | Self::LateTrying)
    }
}

/// How a timer behaves on a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuse {
    /// It does not run.
    Never,
    /// It fires at once.
    Now,
    /// It fires after so long.
    After(Duration),
}

/// The base values all transaction timers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip time estimate. Default 500 ms (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// Largest retransmit interval for non-INVITE requests and INVITE responses. Default 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network. Default 5 s.
    pub t4: Duration,
    /// Timer C. Default 185 s; RFC 3261 §16.6 asks for more than 3 minutes.
    pub c: Duration,
    /// Timer D on unreliable transports. Default 32 s, the RFC's minimum.
    pub d: Duration,
    /// How long the owner of an INVITE may think before `100 Trying` is sent. Default 200 ms (RFC 3261 §17.2.1).
    pub trying: Duration,
    /// How long the owner of an INVITE may take for its final response. Default 240 s.
    pub owner: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            c: Duration::from_secs(185),
            d: Duration::from_secs(32),
            trying: Duration::from_millis(200),
            owner: Duration::from_secs(240),
        }
    }
}

impl Timers {
    /// 64 T1: the life of a transaction.
    pub fn life(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// When a timer fires that was armed for the `nth` time (from 0) in this transaction.
    // spec: RFC3261-17.1.1.2 RFC3261-17.1.2.2 RFC3261-17.2.1 RFC3261-17.2.2 RFC6026-8.4 RFC4320-4.1
    pub fn fuse(&self, timer: Timer, nth: u8, reliable: bool) -> Fuse {
        let doubled = self.t1.saturating_mul(1u32.checked_shl(u32::from(nth)).unwrap_or(u32::MAX));
        match timer {
            Timer::A | Timer::E | Timer::G if reliable => Fuse::Never,
            Timer::D | Timer::I | Timer::J | Timer::K if reliable => Fuse::Now,
            Timer::A => Fuse::After(doubled),
            Timer::E | Timer::G => Fuse::After(doubled.min(self.t2)),
            Timer::B | Timer::F | Timer::H | Timer::J | Timer::L | Timer::M => Fuse::After(self.life()),
            Timer::Expire | Timer::CancelWait => Fuse::After(self.life()),
            Timer::C => Fuse::After(self.c),
            Timer::D => Fuse::After(self.d),
            Timer::I | Timer::K => Fuse::After(self.t4),
            Timer::Trying => Fuse::After(self.trying),
            Timer::LateTrying => Fuse::After(self.late_trying()),
            Timer::Owner => Fuse::After(self.owner),
        }
    }

    /// The time at which a client's Timer E is reset to T2: the sum of the intervals below T2.
    fn late_trying(&self) -> Duration {
        let mut interval = self.t1;
        let mut sum = Duration::ZERO;
        for _ in 0..32 {
            if interval >= self.t2 || interval.is_zero() {
                break;
            }
            sum = sum.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        sum.min(self.life())
    }
}
