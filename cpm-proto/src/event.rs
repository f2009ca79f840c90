//! What a node tells its owner.

use crate::client::User;
use crate::store::engine::StoreError;
use bytes::Bytes;
use cpm_base::Handle;
use cpm_cpim::mime::ContentType;
use std::borrow::Cow;

/// Something the owner of the node should know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Durable state is restored; requests are served from now on.
    Started,
    /// Durable state could not be read; no request is served.
    StartFailed {
        /// What the store said.
        error: StoreError,
    },
    /// Something about one client account.
    Client {
        /// The account.
        user: Handle<User>,
        /// What happened.
        event: ClientEvent,
    },
}

/// Which way a message went, seen from the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Somebody sent it to the user.
    In,
    /// Another Device of the user sent it (CONV-PM-032).
    Copy,
}

/// A message that reached this Device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// CPM Address of the sender, as the network asserts it.
    pub from: String,
    /// CPM Address it was sent to.
    pub to: String,
    /// `imdn.Message-ID`.
    pub message_id: String,
    /// `Conversation-ID`; empty when the message had none.
    pub conversation_id: String,
    /// `Contribution-ID`; empty when the message had none.
    pub contribution_id: String,
    /// Content type of the payload.
    pub content_type: String,
    /// The payload.
    pub body: Bytes,
    /// Which way it went.
    pub direction: Direction,
    /// It had waited in the participating function (`oma.cpm.deferred`).
    pub deferred: bool,
}

impl Received {
    /// The payload as text, for any type `text/*`. What is not in the declared charset shows as U+FFFD; a charset
    /// other than UTF-8, US-ASCII and ISO 8859-1 is read as UTF-8.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let kind = ContentType::parse(&self.content_type, &cpm_cpim::Limits::default()).ok()?;
        if !kind.kind.eq_ignore_ascii_case("text") {
            return None;
        }
        let latin =
            kind.parameter("charset").is_some_and(|charset| charset.eq_ignore_ascii_case("iso-8859-1"));
        Some(match latin {
            true => self.body.iter().copied().map(char::from).collect(),
            false => String::from_utf8_lossy(&self.body),
        })
    }
}

/// What happens to a client account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The Device is registered.
    Registered,
    /// The registration was refused or timed out (status 408); it is tried again unless that makes no sense.
    RegistrationFailed {
        /// SIP status, 408 for no answer, 503 for no connection.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
    /// The Device is no longer registered, by own wish.
    Unregistered,
    /// The network took a message over: 200 a Device has it, 202 it is kept for later.
    Accepted {
        /// The caller's own name for it.
        reference: String,
        /// `imdn.Message-ID`.
        message_id: String,
        /// 200 or 202.
        status: u16,
    },
    /// A message came in.
    Message(Box<Received>),
    /// A Device of the recipient has the message.
    Delivered {
        /// Which message.
        message_id: String,
        /// Who reports it.
        by: String,
    },
    /// The recipient has seen the message.
    Displayed {
        /// Which message.
        message_id: String,
        /// Who reports it.
        by: String,
    },
    /// The user has seen a received message on another Device (CONV-IMDN-064).
    ReadElsewhere {
        /// Which message.
        message_id: String,
    },
    /// A message was not sent, or will not be delivered.
    Failed {
        /// The caller's own name for it; empty when it is not known any more.
        reference: String,
        /// `imdn.Message-ID`.
        message_id: String,
        /// SIP status, 408 for no answer; 0 when a notification said so.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
}
