//! What the owner of an account can ask for.

use super::User;
use crate::{Error, Node};
use bytes::Bytes;
use cpm_base::{Handle, Now};
use std::time::Duration;

/// Which notifications the sender of a message wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Want {
    /// Whether it reached a Device or could not: `positive-delivery, negative-delivery`.
    pub delivery: bool,
    /// When the recipient sees it: `display`.
    pub display: bool,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// CPM Address of the recipient: a `sip:`, `sips:` or `tel:` URI.
    pub to: String,
    /// Content type of `body`.
    pub content_type: String,
    /// What is sent.
    pub body: Bytes,
    /// Notifications asked for.
    pub want: Want,
    /// The caller's own name for the message; comes back in the events about it.
    pub reference: String,
    /// How long the network may hold the message for an absent recipient (`Message-Expires`); its own
    /// maximum if not given, not at all if zero.
    pub expires: Option<Duration>,
}

impl Outgoing {
    /// A text without any wish.
    pub fn text(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            content_type: "text/plain;charset=UTF-8".into(),
            body: Bytes::from(text.into()),
            want: Want::default(),
            reference: String::new(),
            expires: None,
        }
    }

    /// The same message with these notifications asked for.
    pub fn want(mut self, want: Want) -> Self {
        self.want = want;
        self
    }

    /// The same message under the caller's name for it.
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = reference.into();
        self
    }
}

/// The commands of one account, borrowed from its node.
#[derive(Debug)]
pub struct ClientApi<'a> {
    node: &'a mut Node,
    user: Handle<User>,
}

impl<'a> ClientApi<'a> {
    pub(crate) fn new(node: &'a mut Node, user: Handle<User>) -> Self {
        Self { node, user }
    }

    /// Takes a message over and gives its Message-ID. What becomes of it comes as events: `Accepted` or
    /// `Failed`, then what the recipient lets know. A message that is too large fails at once with 403. While
    /// the account is not registered messages wait for it.
    ///
    /// # Errors
    /// [`Error::Usage`] for a stale or leaving account, a recipient that is no address, a content that cannot be
    /// written; [`Error::Limit`] when too many messages are under way.
    pub fn send(&mut self, now: Now, outgoing: Outgoing) -> Result<String, Error> {
        self.node.with_account(now, self.user, |user, cx| user.send(cx, outgoing))?
    }

    /// The user has seen a received message: its sender is told if it asked.
    ///
    /// # Errors
    /// [`Error::Usage`] for a stale account or a message that is not known.
    pub fn read(&mut self, now: Now, message_id: &str) -> Result<(), Error> {
        self.node.with_account(now, self.user, |user, cx| user.read_by_user(cx, message_id))?
    }

    /// Ends the account: what is under way gets a last moment, then the Device is unregistered. The last event
    /// is `Unregistered`; the handle is stale from then on. Takes `linger` plus `unregister` of
    /// [`ClientLimits`](super::ClientLimits) at most.
    ///
    /// # Errors
    /// [`Error::Usage`] for a stale account.
    pub fn unregister(&mut self, now: Now) -> Result<(), Error> {
        self.node.with_account(now, self.user, |user, cx| user.leave(cx))
    }
}
