//! Answers that need no further thought.

use super::ALLOW;
use cpm_sip::{Head, HeaderId, Message, reason_phrase};
use std::time::Duration;

/// Body types the server takes.
pub(crate) const ACCEPT: &str = "message/cpim, text/plain, message/imdn+xml";

/// Content codings the server undoes.
pub(crate) const ACCEPT_ENCODING: &str = "gzip, deflate, identity";

/// A final answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    reason: &'static str,
    fields: Vec<(HeaderId, String)>,
}

impl Reply {
    /// An answer with the reason phrase of its status.
    pub(crate) fn new(status: u16) -> Self {
        Self { status, reason: reason_phrase(status), fields: Vec::new() }
    }

    /// The same answer with a reason phrase that names the fault.
    pub(crate) fn because(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    /// The same answer with one more header field.
    pub(crate) fn with(mut self, field: HeaderId, value: impl Into<String>) -> Self {
        self.fields.push((field, value.into()));
        self
    }

    /// 400 that names the fault.
    pub(crate) fn bad(reason: &'static str) -> Self {
        Self::new(400).because(reason)
    }

    /// 403 with an OMA warning (CONV-ERR-010).
    // spec: CONV-ERR-010
    pub(crate) fn forbidden(realm: &str, warning: &str) -> Self {
        Self::new(403).with(HeaderId::Warning, format!("399 {realm} \"{warning}\""))
    }

    /// 503: try again in so many seconds.
    pub(crate) fn busy(seconds: u64) -> Self {
        Self::new(503).with(HeaderId::RetryAfter, seconds.max(1).to_string())
    }

    /// 480: try again later.
    pub(crate) fn later(wait: Duration) -> Self {
        Self::new(480).with(HeaderId::RetryAfter, wait.as_secs().max(1).to_string())
    }

    /// 420 for a request that needs an extension; the server has none (RFC 3261 §8.2.2.3).
    // spec: RFC3261-8.2.2.3
    pub(crate) fn unsupported(message: &Message) -> Option<Self> {
        let needed: Vec<&str> = message
            .headers(HeaderId::Require)
            .chain(message.headers(HeaderId::ProxyRequire))
            .filter(|value| !value.is_empty())
            .collect();
        (!needed.is_empty()).then(|| Self::new(420).with(HeaderId::Unsupported, needed.join(", ")))
    }

    /// 405 for a method the server does not know (RFC 3261 §8.2.1).
    pub(crate) fn not_allowed() -> Self {
        Self::new(405).with(HeaderId::Allow, ALLOW)
    }

    /// Whether it asks for credentials.
    pub(crate) fn is_challenge(&self) -> bool {
        matches!(self.status, 401 | 407)
    }

    /// What OPTIONS is answered (RFC 3261 §11.2).
    // spec: RFC3261-11.2
    pub(crate) fn options() -> Self {
        Self::new(200)
            .with(HeaderId::Allow, ALLOW)
            .with(HeaderId::Accept, ACCEPT)
            .with(HeaderId::AcceptEncoding, ACCEPT_ENCODING)
    }

    /// The response to `request`.
    pub(crate) fn head(&self, request: &Message) -> Head {
        let mut head = Head::response_to(request, self.status, self.reason);
        for (field, value) in &self.fields {
            // Values are ours or were read from a valid message: none holds a line end.
            let _ = head.push(*field, value.as_str());
        }
        head
    }
}
