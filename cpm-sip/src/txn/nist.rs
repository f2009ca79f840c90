//! The non-INVITE server transaction (RFC 3261 §17.2.2, figure 8, with RFC 4320).
//!
//! | state | request | owner 100 | owner final | late trying | expire | J | transport error |
//! |---|---|---|---|---|---|---|---|
//! | Trying | – | send, Proceeding | send, J, Completed | 100, Proceeding | died, Terminated | – | inform |
//! | Proceeding | resend | send | send, J, Completed | – | died, Terminated | – | inform |
//! | Completed | resend | – | – | – | – | Terminated | inform |
//!
//! RFC 4320 §4.2: an owner that is too late sends nothing at all, in particular no 408.

use super::{Action, Step, Timer, step};

/// States of RFC 3261 §17.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The request is with the owner.
    Trying,
    /// A provisional response was sent.
    Proceeding,
    /// The final response was sent and is kept for retransmitted requests.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The request came again.
    Request,
    /// The owner sends a provisional response.
    Provisional,
    /// The owner sends the final response.
    Final,
    /// A 100 is due because the owner has not answered (RFC 4320 §4.1).
    LateTrying,
    /// The client has given up; an answer would be a stray.
    Expire,
    /// Timer J fired.
    TimerJ,
    /// The transport reported an error.
    TransportError,
}

/// What a new transaction does.
pub const START: Step<State> =
    step(State::Trying, &[Action::PassUp, Action::Arm(Timer::LateTrying), Action::Arm(Timer::Expire)]);

/// One cell of the table.
// spec: RFC3261-17.2.2 RFC6026-8.8 RFC4320-4.1 RFC4320-4.2
pub fn next(state: State, event: Event) -> Step<State> {
    use Action::{Arm, Died, StopRepeat, Transmit, Trying, Undelivered};
    use Event as E;
    use State as S;
    match (state, event) {
        (S::Trying | S::Proceeding, E::Provisional) => step(S::Proceeding, &[Transmit, StopRepeat]),
        (S::Trying | S::Proceeding, E::Final) => step(S::Completed, &[Transmit, StopRepeat, Arm(Timer::J)]),
        (S::Trying, E::LateTrying) => step(S::Proceeding, &[Trying]),
        (S::Trying | S::Proceeding, E::Expire) => step(S::Terminated, &[Died]),
        // RFC 6026 §8.8: the owner learns of the error and the state remains.
        (S::Trying | S::Proceeding | S::Completed, E::TransportError) => step(state, &[Undelivered]),
        (S::Proceeding | S::Completed, E::Request) => step(state, &[Transmit]),
        (S::Completed, E::TimerJ) => step(S::Terminated, &[]),
        (S::Trying, E::Request | E::TimerJ) => step(S::Trying, &[]),
        (S::Proceeding, E::LateTrying | E::TimerJ) => step(S::Proceeding, &[]),
        (S::Completed, E::Provisional | E::Final | E::LateTrying | E::Expire) => step(S::Completed, &[]),
        (
            S::Terminated,
            E::Request
            | E::Provisional
            | E::Final
            | E::LateTrying
            | E::Expire
            | E::TimerJ
            | E::TransportError,
        ) => step(S::Terminated, &[]),
    }
}
