//! The node's client accounts: commands of the owner, and which events of the endpoint concern them.

use super::Node;
use super::parts::parts;
use crate::client::{ClientApi, Cx, User};
use crate::{Account, Error};
use cpm_base::{Handle, Now};
use cpm_sip::endpoint::Event;

impl Node {
    /// Adds a client account and starts its registration.
    ///
    /// # Errors
    /// [`Error::Usage`] for an address that is none, [`Error::Limit`] when there are too many accounts or outputs.
    pub fn add_account(&mut self, now: Now, account: Account) -> Result<Handle<User>, Error> {
        if !self.has_room() {
            return Err(Error::Limit("outputs"));
        }
        let result = self.client.add(parts!(self, now), account);
        self.pump(now);
        result
    }

    /// The commands of a client account.
    pub fn client(&mut self, user: Handle<User>) -> ClientApi<'_> {
        ClientApi::new(self, user)
    }

    /// Runs a command of an account.
    pub(crate) fn with_account<T>(
        &mut self,
        now: Now,
        user: Handle<User>,
        run: impl FnOnce(&mut User, &mut Cx<'_>) -> T,
    ) -> Result<T, Error> {
        if !self.has_room() {
            return Err(Error::Limit("outputs"));
        }
        let result = self.client.with(parts!(self, now), user, run);
        self.pump(now);
        result
    }

    /// Hands an event to the accounts it concerns; gives it back if the server side has to see it too.
    pub(super) fn on_account_event(&mut self, now: Now, event: Event) -> Option<Event> {
        match &event {
            Event::Request { txn, source, message } => {
                if self.server.is_some() && self.client.addressed(message).is_none() {
                    return Some(event);
                }
                self.client.on_request(parts!(self, now), *txn, source, message);
                None
            }
            Event::Response { txn, message } if self.client.owns(*txn) => {
                self.client.on_response(parts!(self, now), *txn, message);
                None
            }
            Event::TxnFailed { txn, why } if self.client.owns(*txn) => {
                self.client.on_failed(parts!(self, now), *txn, *why);
                None
            }
            Event::ConnectFailed { remote, reason, .. } => {
                self.client.on_connect_failed(&mut parts!(self, now), *remote, *reason);
                None
            }
            Event::FlowUp { .. } => {
                self.client.on_flow_up(&mut parts!(self, now));
                Some(event)
            }
            Event::FlowDown { flow, .. } => {
                self.client.on_flow_down(&mut parts!(self, now), *flow);
                Some(event)
            }
            _ => Some(event),
        }
    }
}
