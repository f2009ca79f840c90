//! The non-INVITE client transaction (RFC 3261 §17.1.2, figure 6).
//!
//! | state | E | F | 1xx | 2xx–6xx | K | transport error |
//! |---|---|---|---|---|---|---|
//! | Trying | resend, E | fail, Terminated | pass, Proceeding | pass, K, Completed | – | fail, Terminated |
//! | Proceeding | resend, E (T2) | fail, Terminated | pass | pass, K, Completed | – | fail, Terminated |
//! | Completed | – | – | – | – | Terminated | – |

use super::{Action, Step, Timer, step};

/// States of RFC 3261 §17.1.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The request is on its way, nothing came back.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// The final response came; retransmissions of it are absorbed.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Timer E fired.
    TimerE,
    /// Timer F fired.
    TimerF,
    /// Timer K fired.
    TimerK,
    /// A 1xx response came.
    Provisional,
    /// A final response came.
    Final,
    /// The transport reported an error.
    TransportError,
}

/// What a new transaction does.
pub const START: Step<State> =
    step(State::Trying, &[Action::Transmit, Action::Arm(Timer::E), Action::Arm(Timer::F)]);

/// One cell of the table.
// spec: RFC3261-17.1.2.2
pub fn next(state: State, event: Event) -> Step<State> {
    use Action::{Arm, FailTimeout, FailTransport, PassUp, StopRepeat, Transmit};
    use Event as E;
    use State as S;
    match (state, event) {
        (S::Trying, E::TimerE) => step(S::Trying, &[Transmit, Arm(Timer::E)]),
        (S::Proceeding, E::TimerE) => step(S::Proceeding, &[Transmit, Arm(Timer::E)]),
        (S::Trying | S::Proceeding, E::TimerF) => step(S::Terminated, &[FailTimeout]),
        (S::Trying | S::Proceeding, E::Provisional) => step(S::Proceeding, &[PassUp]),
        (S::Trying | S::Proceeding, E::Final) => step(S::Completed, &[PassUp, StopRepeat, Arm(Timer::K)]),
        (S::Trying | S::Proceeding, E::TransportError) => step(S::Terminated, &[FailTransport]),
        (S::Trying, E::TimerK) => step(S::Trying, &[]),
        (S::Proceeding, E::TimerK) => step(S::Proceeding, &[]),
        (S::Completed, E::TimerK) => step(S::Terminated, &[]),
        // Without a request to repeat, the transport no longer matters here.
        (S::Completed, E::TimerE | E::TimerF | E::Provisional | E::Final | E::TransportError) => {
            step(S::Completed, &[])
        }
        (
            S::Terminated,
            E::TimerE | E::TimerF | E::TimerK | E::Provisional | E::Final | E::TransportError,
        ) => step(S::Terminated, &[]),
    }
}
