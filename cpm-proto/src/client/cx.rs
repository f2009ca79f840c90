//! What one account works with during one call.

use super::limits::ClientLimits;
use super::{Errand, Timer, User};
use crate::{ClientEvent, Error, Event, Limits, Output};
use cpm_base::{Handle, Now, Rng, Side, TimerId, Wheel};
use cpm_sip::Head;
use cpm_sip::endpoint::{ClientTxn, Endpoint, Target};
use std::collections::VecDeque;
use std::time::Duration;

/// What one account works with during one call: parts of the node and of the client, and its own handle.
pub(crate) struct Cx<'a> {
    pub(crate) now: Now,
    pub(crate) sip: &'a mut Endpoint,
    pub(crate) rng: &'a mut Rng,
    pub(crate) out: &'a mut VecDeque<Output>,
    pub(crate) limits: &'a Limits,
    pub(crate) txns: &'a mut Side<ClientTxn, (Handle<User>, Errand)>,
    pub(crate) timers: &'a mut Wheel<Timer>,
    pub(crate) user: Handle<User>,
}

impl Cx<'_> {
    /// Tells the owner of the node.
    pub(crate) fn event(&mut self, event: ClientEvent) {
        self.out.push_back(Output::Event(Event::Client { user: self.user, event }));
    }

    /// The limits of one account.
    pub(crate) fn client_limits(&self) -> &ClientLimits {
        &self.limits.client
    }

    /// Sends a request whose outcome comes back to this account under `errand`.
    pub(crate) fn request(
        &mut self,
        head: Head,
        target: Target,
        errand: Errand,
    ) -> Result<Handle<ClientTxn>, Error> {
        let txn = self.sip.request(self.now, head, target).map_err(|_| Error::Limit("transactions"))?;
        self.txns.insert(txn, (self.user, errand));
        Ok(txn)
    }

    /// Gives a transaction up; its outcome does not come back.
    pub(crate) fn forget(&mut self, txn: Handle<ClientTxn>) {
        self.txns.remove(txn);
        self.sip.forget(txn);
    }

    /// Arms a timer.
    pub(crate) fn arm(&mut self, after: Duration, name: &'static str, timer: Timer) -> TimerId {
        self.timers.arm(self.now.mono, self.now.mono + after, name, timer)
    }
}
