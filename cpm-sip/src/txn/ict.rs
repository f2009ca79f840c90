//! The INVITE client transaction (RFC 3261 §17.1.1, as changed by RFC 6026 §8.4, figure 5).
//!
//! | state | A | B | 1xx | 2xx | 3xx–6xx | transport error |
//! |---|---|---|---|---|---|---|
//! | Calling | resend, A | fail, Terminated | pass, C, Proceeding | pass, M, Accepted | ACK, pass, D, Completed | fail, Terminated |
//! | Proceeding | – | – | pass, C | pass, M, Accepted | ACK, pass, D, Completed | fail, Terminated |
//! | Accepted | – | – | – | pass | – | – |
//! | Completed | – | – | – | – | ACK | fail, Terminated |
//!
//! M ends Accepted, D ends Completed. In Proceeding, Timer C sends CANCEL and gives the peer 64 T1 more.

use super::{Action, Step, Timer, step};

/// States of RFC 3261 §17.1.1.2 and RFC 6026 §8.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The INVITE is on its way, nothing came back.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// A 2xx came; more of them, also from other branches, are passed up.
    Accepted,
    /// A non-2xx final response came and was acknowledged.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Timer A fired.
    TimerA,
    /// Timer B fired.
    TimerB,
    /// Timer C fired: the peer promises an answer for too long.
    TimerC,
    /// No final response came after CANCEL.
    CancelWait,
    /// Timer D fired.
    TimerD,
    /// Timer M fired.
    TimerM,
    /// A 1xx response came.
    Provisional,
    /// A 2xx response came.
    Success,
    /// A 3xx to 6xx response came.
    Reject,
    /// The transport reported an error.
    TransportError,
}

/// What a new transaction does.
pub const START: Step<State> =
    step(State::Calling, &[Action::Transmit, Action::Arm(Timer::A), Action::Arm(Timer::B)]);

/// One cell of the table.
// spec: RFC3261-17.1.1.2 RFC6026-8.4
pub fn next(state: State, event: Event) -> Step<State> {
    use Action::{Ack, Arm, Cancel, FailTimeout, FailTransport, PassUp, StopRepeat, Transmit};
    use Event as E;
    use State as S;
    match (state, event) {
        (S::Calling, E::TimerA) => step(S::Calling, &[Transmit, Arm(Timer::A)]),
        (S::Calling, E::TimerB) => step(S::Terminated, &[FailTimeout]),
        (S::Calling | S::Proceeding, E::Provisional) => {
            step(S::Proceeding, &[PassUp, StopRepeat, Arm(Timer::C)])
        }
        (S::Calling | S::Proceeding, E::Success) => step(S::Accepted, &[PassUp, StopRepeat, Arm(Timer::M)]),
        (S::Calling | S::Proceeding, E::Reject) => {
            step(S::Completed, &[Ack, PassUp, StopRepeat, Arm(Timer::D)])
        }
        // RFC 3261 names the error in Calling only. A stream that died in Proceeding cannot bring the answer.
        (S::Calling | S::Proceeding, E::TransportError) => step(S::Terminated, &[FailTransport]),
        (S::Proceeding, E::TimerC) => step(S::Proceeding, &[Cancel, Arm(Timer::CancelWait)]),
        (S::Proceeding, E::CancelWait) => step(S::Terminated, &[FailTimeout]),
        (S::Accepted, E::Success) => step(S::Accepted, &[PassUp]),
        (S::Accepted, E::TimerM) => step(S::Terminated, &[]),
        (S::Completed, E::Reject) => step(S::Completed, &[Ack]),
        (S::Completed, E::TimerD) => step(S::Terminated, &[]),
        (S::Completed, E::TransportError) => step(S::Terminated, &[FailTransport]),
        (S::Calling, E::TimerC | E::CancelWait | E::TimerD | E::TimerM) => step(S::Calling, &[]),
        (S::Proceeding, E::TimerA | E::TimerB | E::TimerD | E::TimerM) => step(S::Proceeding, &[]),
        (
            S::Accepted,
            E::TimerA
            | E::TimerB
            | E::TimerC
            | E::CancelWait
            | E::TimerD
            | E::Provisional
            | E::Reject
            | E::TransportError,
        ) => step(S::Accepted, &[]),
        (
            S::Completed,
            E::TimerA | E::TimerB | E::TimerC | E::CancelWait | E::TimerM | E::Provisional | E::Success,
        ) => step(S::Completed, &[]),
        (
            S::Terminated,
            E::TimerA
            | E::TimerB
            | E::TimerC
            | E::CancelWait
            | E::TimerD
            | E::TimerM
            | E::Provisional
            | E::Success
            | E::Reject
            | E::TransportError,
        ) => step(S::Terminated, &[]),
    }
}
