//! The INVITE server transaction (RFC 3261 §17.2.1, as changed by RFC 6026 §8.7, figure 7).
//!
//! | state | INVITE | ACK | owner 1xx | owner 2xx | owner 3xx–6xx | transport error |
//! |---|---|---|---|---|---|---|
//! | Proceeding | resend | – | send | send, L, Accepted | send, G, H, Completed | inform |
//! | Accepted | – | pass | – | send | – | inform |
//! | Completed | resend | I, Confirmed | – | – | – | inform |
//! | Confirmed | – | – | – | – | – | – |
//!
//! Timers: Trying sends 100 in Proceeding; Owner answers 500 there; G resends and H ends Completed (the owner is
//! told), I ends Confirmed, L ends Accepted.

use super::{Action, Step, Timer, step};

/// States of RFC 3261 §17.2.1 and RFC 6026 §8.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The INVITE is with the owner.
    Proceeding,
    /// A 2xx was sent; the owner repeats it until the ACK comes.
    Accepted,
    /// A non-2xx final response was sent and is repeated until the ACK comes.
    Completed,
    /// The ACK came.
    Confirmed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The INVITE came again.
    Invite,
    /// An ACK came.
    Ack,
    /// The owner sends a provisional response.
    Provisional,
    /// The owner sends a 2xx.
    Success,
    /// The owner sends a 3xx to 6xx.
    Reject,
    /// A 100 is due because the owner has not answered.
    Trying,
    /// The owner did not answer in time.
    Owner,
    /// Timer G fired.
    TimerG,
    /// Timer H fired.
    TimerH,
    /// Timer I fired.
    TimerI,
    /// Timer L fired.
    TimerL,
    /// The transport reported an error.
    TransportError,
}

/// What a new transaction does.
pub const START: Step<State> =
    step(State::Proceeding, &[Action::PassUp, Action::Arm(Timer::Trying), Action::Arm(Timer::Owner)]);

/// One cell of the table.
// spec: RFC3261-17.2.1 RFC6026-8.7 RFC6026-8.8
pub fn next(state: State, event: Event) -> Step<State> {
    use Action::{Arm, Died, GiveUp, PassUp, StopRepeat, Transmit, Trying, Undelivered};
    use Event as E;
    use State as S;
    match (state, event) {
        (S::Proceeding, E::Invite) => step(S::Proceeding, &[Transmit]),
        (S::Proceeding, E::Provisional) => step(S::Proceeding, &[Transmit, StopRepeat]),
        (S::Proceeding, E::Success) => step(S::Accepted, &[Transmit, StopRepeat, Arm(Timer::L)]),
        (S::Proceeding, E::Reject) => {
            step(S::Completed, &[Transmit, StopRepeat, Arm(Timer::G), Arm(Timer::H)])
        }
        (S::Proceeding, E::Trying) => step(S::Proceeding, &[Trying]),
        (S::Proceeding, E::Owner) => step(S::Completed, &[GiveUp, StopRepeat, Arm(Timer::G), Arm(Timer::H)]),
        // RFC 6026 §8.8: the owner learns of the error and the state remains.
        (S::Proceeding | S::Accepted | S::Completed, E::TransportError) => step(state, &[Undelivered]),
        (S::Accepted, E::Ack) => step(S::Accepted, &[PassUp]),
        (S::Accepted, E::Success) => step(S::Accepted, &[Transmit]),
        (S::Accepted, E::TimerL) => step(S::Terminated, &[]),
        (S::Completed, E::Invite) => step(S::Completed, &[Transmit]),
        (S::Completed, E::TimerG) => step(S::Completed, &[Transmit, Arm(Timer::G)]),
        (S::Completed, E::TimerH) => step(S::Terminated, &[Died]),
        (S::Completed, E::Ack) => step(S::Confirmed, &[StopRepeat, Arm(Timer::I)]),
        (S::Confirmed, E::TimerI) => step(S::Terminated, &[]),
        (S::Proceeding, E::Ack | E::TimerG | E::TimerH | E::TimerI | E::TimerL) => step(S::Proceeding, &[]),
        (
            S::Accepted,
            E::Invite | E::Provisional | E::Reject | E::Trying | E::Owner | E::TimerG | E::TimerH | E::TimerI,
        ) => step(S::Accepted, &[]),
        (
            S::Completed,
            E::Provisional | E::Success | E::Reject | E::Trying | E::Owner | E::TimerI | E::TimerL,
        ) => step(S::Completed, &[]),
        (
            S::Confirmed,
            E::Invite
            | E::Ack
            | E::Provisional
            | E::Success
            | E::Reject
            | E::Trying
            | E::Owner
            | E::TimerG
            | E::TimerH
            | E::TimerL
            | E::TransportError,
        ) => step(S::Confirmed, &[]),
        (
            S::Terminated,
            E::Invite
            | E::Ack
            | E::Provisional
            | E::Success
            | E::Reject
            | E::Trying
            | E::Owner
            | E::TimerG
            | E::TimerH
            | E::TimerI
            | E::TimerL
            | E::TransportError,
        ) => step(S::Terminated, &[]),
    }
}
