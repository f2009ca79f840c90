//! Who sends a request (design threats 7.1, 7.2, 4.5; CONV-PF-004, CONV-SEC-007).
//!
//! | Source | Identity |
//! |---|---|
//! | trusted flow | P-Asserted-Identity, else From |
//! | stream over which the user's authenticated REGISTER came | that user |
//! | any other | the user whose digest it carries, else 407 |
//!
//! From and P-Preferred-Identity must name that identity, or be anonymous; else 403. What an untrusted source
//! asserts is neither believed nor passed on.

use super::{Place, Reply, Server, UserId, Users};
use crate::node::Parts;
use crate::registrar::Device;
use crate::store::model::hash128;
use cpm_base::{FlowId, ProbeKind};
use cpm_sip::auth::{Presented, Verdict};
use cpm_sip::endpoint::Source;
use cpm_sip::header::{Contact, Credentials};
use cpm_sip::{HeaderId, Message, Uri};
use std::net::SocketAddr;
use std::time::Duration;

/// Host of the identity nobody has (RFC 3323 §4.1.1.3).
const ANONYMOUS_HOST: &str = "anonymous.invalid";

/// The proven sender of a request.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The served user, if it is one.
    pub(super) user: Option<UserId>,
    /// The address that is asserted downstream.
    pub(super) address: String,
    /// Its canonical form.
    pub(super) canonical: String,
    /// Canonical form of the Request-URI.
    pub(super) recipient: String,
    /// The sender wants not to be shown (RFC 3323, RFC 3325 §9.3).
    pub(super) private: bool,
    /// When the request came, since the Unix epoch.
    pub(super) at: Duration,
    flow: FlowId,
    addr: SocketAddr,
    /// Instance-id of the Device, where it said it (CONV-HDR-014).
    instance: Option<String>,
}

impl Identity {
    /// A hash of the address, for order and budgets.
    pub(super) fn hash(&self) -> [u8; 16] {
        hash128(&[self.canonical.as_bytes()])
    }

    /// Whether the request came from this Device (CONV-PF-031: by instance-id, else by contact).
    pub(super) fn is_origin(&self, device: &Device) -> bool {
        match (&self.instance, &device.instance) {
            (Some(own), Some(other)) => own == other,
            _ if device.target.transport.is_reliable() => device.target.flow == Some(self.flow),
            _ => device.target.remote == self.addr,
        }
    }

    /// Whether an address inside the message may stand for its sender: its own, or nobody's; only nobody's if
    /// it wants not to be known (design threats 7.9).
    // spec: CONV-BODY-004
    pub(super) fn may_be_named(&self, users: &Users, address: &str) -> bool {
        Uri::parse(address).is_ok_and(|uri| is_anonymous(&uri) || (!self.private && self.is(users, &uri)))
    }

    fn is(&self, users: &Users, uri: &Uri<'_>) -> bool {
        match (self.user, users.find(uri)) {
            (Some(own), Place::Local(named)) => own == named,
            (None, _) => users.canonical(uri) == self.canonical,
            _ => false,
        }
    }
}

pub(super) fn is_anonymous(uri: &Uri<'_>) -> bool {
    uri.host().is_some_and(|host| host.to_string().eq_ignore_ascii_case(ANONYMOUS_HOST))
}

impl Server {
    /// The sender of a MESSAGE; `Err` is the answer to one that has not proven who it is.
    // spec: CONV-PM-030, CONV-PF-004, CONV-SEC-007
    pub(super) fn identify(
        &mut self,
        parts: &mut Parts<'_>,
        source: &Source,
        message: &Message,
    ) -> Result<Identity, Reply> {
        let from = message.from().map_err(|_| Reply::bad("Malformed From"))?;
        let (user, address) = if source.trusted {
            self.asserted(message)?
        } else if let Some(user) = self.registrar.user_of_flow(source.flow, self.users.place(from.uri())) {
            (Some(user), self.address(user))
        } else {
            let user = self.authenticate(parts, source, message, HeaderId::ProxyAuthorization)?;
            (Some(user), self.address(user))
        };
        let canonical = match user.and_then(|user| self.users.get(user)) {
            Some(served) => served.canonical.clone(),
            None => Uri::parse(&address).map(|uri| self.users.canonical(&uri)).unwrap_or_default(),
        };
        let recipient = Uri::parse(message.request_uri().unwrap_or_default());
        let recipient = recipient.map(|uri| self.users.canonical(&uri)).unwrap_or_default();
        let wants_privacy = message.privacy().map_err(|_| Reply::bad("Malformed Privacy"))?;
        let private = wants_privacy
            .into_iter()
            .any(|value| value.eq_ignore_ascii_case("id") || value.eq_ignore_ascii_case("user"));
        let instance = message.contacts().find_map(|contact| instance_of(contact.ok()?));
        let identity = Identity {
            user,
            address,
            canonical,
            recipient,
            private: private || is_anonymous(from.uri()),
            at: parts.now.unix,
            flow: source.flow,
            addr: source.addr,
            instance,
        };
        self.check_names(parts, source, &identity, message)?;
        Ok(identity)
    }

    /// From and P-Preferred-Identity must be the sender's own.
    fn check_names(
        &self,
        parts: &mut Parts<'_>,
        source: &Source,
        identity: &Identity,
        message: &Message,
    ) -> Result<(), Reply> {
        if source.trusted {
            return Ok(());
        }
        let from = message.from().map_err(|_| Reply::bad("Malformed From"))?;
        let own = |uri: &Uri<'_>| is_anonymous(uri) || identity.is(&self.users, uri);
        let mut ok = own(from.uri());
        for preferred in message.p_preferred_identities() {
            let preferred = preferred.map_err(|_| Reply::bad("Malformed P-Preferred-Identity"))?;
            ok &= own(preferred.uri());
        }
        if ok {
            return Ok(());
        }
        parts.stats.identity_refused += 1;
        Err(Reply::forbidden(self.users.realm(), "From is not the authenticated user"))
    }

    /// What a trusted peer asserts (RFC 3325): the first identity that leads to a user of ours, else the first.
    fn asserted(&self, message: &Message) -> Result<(Option<UserId>, String), Reply> {
        let mut first = None;
        for asserted in message.p_asserted_identities() {
            let asserted = asserted.map_err(|_| Reply::bad("Malformed P-Asserted-Identity"))?;
            if let Place::Local(user) = self.users.find(asserted.uri()) {
                return Ok((Some(user), self.address(user)));
            }
            first = first.or_else(|| Some(asserted.uri().to_string()));
        }
        if let Some(address) = first {
            return Ok((None, address));
        }
        let from = message.from().map_err(|_| Reply::bad("Malformed From"))?;
        match self.users.find(from.uri()) {
            Place::Local(user) => Ok((Some(user), self.address(user))),
            _ => Ok((None, from.uri().to_string())),
        }
    }

    fn address(&self, user: UserId) -> String {
        self.users.get(user).map(|served| served.address.clone()).unwrap_or_default()
    }

    /// The user whose digest a request carries in `field`; `Err` is a challenge: 401 for a registration, 407
    /// else. A wrong secret gets the same answer as none.
    // spec: RFC3261-22.2, RFC3261-22.3, RFC8760-2.4
    pub(crate) fn authenticate(
        &mut self,
        parts: &mut Parts<'_>,
        source: &Source,
        message: &Message,
        field: HeaderId,
    ) -> Result<UserId, Reply> {
        let host = message.from().ok().and_then(|from| from.uri().host().map(|host| host.to_string()));
        let proxy = field == HeaderId::ProxyAuthorization;
        let mut stale = false;
        let offered = message.headers(field).next().is_some();
        let wait = self.tries.wait(parts.now.mono, source.addr.ip()).filter(|_| offered && !source.trusted);
        if let Some(wait) = wait {
            return Err(Reply::busy(wait.as_secs()));
        }
        for value in message.headers(field) {
            let Ok(credentials) = Credentials::parse(value) else { continue };
            let known = self.users.usernames();
            let Some(claimed) = self.verifier.claimed_user(&credentials, known) else { continue };
            let user = self.users.of_username(&claimed, host.as_deref());
            let secret = user.and_then(|user| self.users.get(user)).map(|served| &served.password);
            let presented = Presented {
                peer: source.addr.ip(),
                method: message.method().map_or("", |method| method.as_str()),
                uri: message.request_uri().unwrap_or_default(),
                body: &message.body(),
                credentials: &credentials,
            };
            match (self.verifier.verify(parts.now, &claimed, &presented, secret), user) {
                (Verdict::Accepted, Some(user)) => return Ok(user),
                (Verdict::Stale, _) => stale = true,
                _ => {
                    parts.stats.auth_failures += 1;
                    self.tries.failed(parts.now.mono, source.addr.ip());
                    parts.probes.push(ProbeKind::AuthFailed, source.flow.0, if proxy { 407 } else { 401 });
                }
            }
        }
        let (status, challenge) =
            if proxy { (407, HeaderId::ProxyAuthenticate) } else { (401, HeaderId::WwwAuthenticate) };
        let mut reply = Reply::new(status);
        for value in self.verifier.challenges(parts.now, source.addr.ip(), stale) {
            reply = reply.with(challenge, value);
        }
        Err(reply)
    }
}

fn instance_of(contact: Contact<'_>) -> Option<String> {
    match contact {
        Contact::Address(contact) => contact.instance().map(str::to_owned),
        _ => None,
    }
}
