//! The registrar's rules (RFC 3261 §10.3, RFC 5626 §6 for instance-ids) as a pure decision.
//!
//! The stored bindings and a request go in; new bindings and the contents of the answer come out. The owner makes
//! the new bindings durable before it answers.

use super::request::{ContactWish, Contacts, RegisterRequest};
use crate::uri::Uri;
use cpm_base::Now;
use std::fmt::Write as _;

/// What the registrar allows. Times are seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrarPolicy {
    /// Shorter wishes get 423, unless they are zero. Default 60.
    pub min_expires: u32,
    /// Used if the request names no time. Default 3 600.
    pub default_expires: u32,
    /// Longer wishes are cut. Default 86 400.
    pub max_expires: u32,
    /// Bindings of one address of record. Default 10.
    pub bindings: usize,
    /// Octets of one binding as it is answered. Default 512.
    pub binding_size: usize,
}

impl Default for RegistrarPolicy {
    fn default() -> Self {
        Self { min_expires: 60, default_expires: 3600, max_expires: 86_400, bindings: 10, binding_size: 512 }
    }
}

/// One contact of an address of record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The contact URI, as registered.
    pub uri: String,
    /// Contact parameters without `q` and `expires`, as registered, each with its leading semicolon.
    pub params: String,
    /// The value of `+sip.instance` without quotes: the Device.
    pub instance: Option<String>,
    /// RFC 5626 `reg-id`: which of the Device's flows.
    pub reg_id: Option<u32>,
    /// Preference in thousandths.
    pub q: Option<u16>,
    /// Call-ID of the last REGISTER that wrote it.
    pub call_id: String,
    /// CSeq number of that REGISTER.
    pub cseq: u32,
    /// When it ends, in seconds since the Unix epoch.
    pub expires_at: u64,
}

impl Binding {
    /// Seconds left; zero when over.
    pub fn remaining(&self, now: Now) -> u32 {
        u32::try_from(self.expires_at.saturating_sub(now.unix_secs())).unwrap_or(u32::MAX)
    }

    /// The binding as a `Contact` value of the 200 (RFC 3261 §10.3 step 8).
    pub fn contact_value(&self, now: Now) -> String {
        let mut value = format!("<{}>{};expires={}", self.uri, self.params, self.remaining(now));
        if let Some(q) = self.q {
            let _ = match q {
                1000.. => write!(value, ";q=1.0"),
                _ => write!(value, ";q=0.{q:03}"),
            };
        }
        value
    }

    /// Whether `contact` speaks of this binding: the same Device and flow, or the same address.
    fn is_of(&self, contact: &ContactWish) -> bool {
        let device =
            self.instance.is_some() && self.instance == contact.instance && self.reg_id == contact.reg_id;
        device || same_uri(&self.uri, &contact.uri)
    }

    /// Whether both were written by the same Device. Bindings without instance-id only have their address.
    fn same_device(&self, contact: &ContactWish) -> bool {
        self.instance == contact.instance
    }
}

/// What to answer and what to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A query: nothing to store. 200 with all bindings as `Contact`.
    Query,
    /// Store the new bindings, then answer 200 with all of them as `Contact`.
    Update(Update),
    /// Nothing changed.
    Refuse(Refusal),
}

/// The outcome of a REGISTER that changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// All bindings after the request.
    pub bindings: Bindings,
    /// Positions in `bindings` of those the request added or refreshed.
    pub written: Vec<usize>,
    /// Bindings that are gone: by request, replaced or over.
    pub removed: Vec<Binding>,
}

/// Why a REGISTER changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `*` beside other contacts, or with an expiry that is not zero.
    #[error("Contact * needs Expires 0 and no other contact")]
    Star,
    /// The same Call-ID came with a CSeq that is not higher.
    #[error("CSeq out of order")]
    OutOfOrder,
    /// The wished time is too short.
    #[error("Interval Too Brief")]
    TooBrief {
        /// The value for `Min-Expires`, seconds.
        min_expires: u32,
    },
    /// No room for another binding until one ends.
    #[error("Too many bindings")]
    TooMany {
        /// The value for `Retry-After`, seconds.
        retry_after: u32,
    },
    /// One contact is larger than a binding may be.
    #[error("Contact too large")]
    TooLarge,
}

impl Refusal {
    /// The status code to answer; the reason phrase is the `Display` form.
    pub fn status(self) -> u16 {
        match self {
            Self::Star => 400,
            // RFC 3261 §10.3 step 7: "the update MUST be aborted and the request fails", step 8: with 500.
            Self::OutOfOrder => 500,
            Self::TooBrief { .. } => 423,
            Self::TooMany { .. } => 503,
            Self::TooLarge => 413,
        }
    }
}

/// The bindings of one address of record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    list: Vec<Binding>,
}

impl Bindings {
    /// No bindings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bindings as stored, in their order.
    pub fn of(list: Vec<Binding>) -> Self {
        Self { list }
    }

    /// All bindings, also those that are over at `now` but were not removed yet.
    pub fn list(&self) -> &[Binding] {
        &self.list
    }

    /// The bindings that are not over.
    pub fn live(&self, now: Now) -> impl Iterator<Item = &Binding> {
        self.list.iter().filter(move |binding| binding.expires_at > now.unix_secs())
    }

    /// When the next binding ends, in seconds since the Unix epoch.
    pub fn next_expiry(&self) -> Option<u64> {
        self.list.iter().map(|binding| binding.expires_at).min()
    }

    /// Takes out the bindings that are over.
    pub fn expire(&mut self, now: Now) -> Vec<Binding> {
        let (live, over) =
            self.list.drain(..).partition(|binding: &Binding| binding.expires_at > now.unix_secs());
        self.list = live;
        over
    }

    /// Applies a REGISTER. All of it takes effect or nothing does.
    // spec: RFC3261-10.3
    pub fn register(&self, now: Now, request: &RegisterRequest, policy: &RegistrarPolicy) -> Decision {
        let changed = match &request.contacts {
            Contacts::None => return Decision::Query,
            Contacts::Star { alone } => self.remove_all(now, request, *alone),
            Contacts::List(contacts) => self.apply(now, request, contacts, policy),
        };
        changed.map_or_else(Decision::Refuse, Decision::Update)
    }

    fn remove_all(&self, now: Now, request: &RegisterRequest, alone: bool) -> Result<Update, Refusal> {
        if !alone || request.expires != Some(0) {
            return Err(Refusal::Star);
        }
        if self.live(now).any(|binding| is_late(binding, request)) {
            return Err(Refusal::OutOfOrder);
        }
        Ok(Update { bindings: Self::new(), written: Vec::new(), removed: self.list.clone() })
    }

    fn apply(
        &self,
        now: Now,
        request: &RegisterRequest,
        contacts: &[ContactWish],
        policy: &RegistrarPolicy,
    ) -> Result<Update, Refusal> {
        let mut next = self.clone();
        let mut removed = next.expire(now);
        let mut fresh: Vec<Binding> = Vec::new();
        for contact in contacts {
            let expires = expires_of(contact, request, policy)?;
            // Order is judged against what was stored, so that one request may name a contact twice.
            let late =
                |old: &Binding| old.is_of(contact) && old.same_device(contact) && is_late(old, request);
            if self.live(now).any(late) {
                return Err(Refusal::OutOfOrder);
            }
            let (gone, kept) = next.list.drain(..).partition(|old: &Binding| old.is_of(contact));
            next.list = kept;
            removed.extend::<Vec<Binding>>(gone);
            fresh.retain(|new| !new.is_of(contact));
            if expires > 0 {
                let binding = contact.binding(request, now.unix_secs().saturating_add(u64::from(expires)));
                if binding.contact_value(now).len() > policy.binding_size {
                    return Err(Refusal::TooLarge);
                }
                fresh.push(binding);
            }
        }
        let first = next.list.len();
        if first.saturating_add(fresh.len()) > policy.bindings && !fresh.is_empty() {
            let retry_after = self.live(now).map(|binding| binding.remaining(now)).min().unwrap_or(1).max(1);
            return Err(Refusal::TooMany { retry_after });
        }
        next.list.extend(fresh);
        let written = (first..next.list.len()).collect();
        removed.retain(|old| {
            !next.list.iter().skip(first).any(|new| new.uri == old.uri && new.instance == old.instance)
        });
        Ok(Update { bindings: next, written, removed })
    }
}

/// The same Call-ID with a CSeq that does not grow (RFC 3261 §10.3 step 7).
fn is_late(binding: &Binding, request: &RegisterRequest) -> bool {
    binding.call_id == request.call_id && request.cseq <= binding.cseq
}

fn expires_of(
    contact: &ContactWish,
    request: &RegisterRequest,
    policy: &RegistrarPolicy,
) -> Result<u32, Refusal> {
    let wish = contact.expires.or(request.expires).unwrap_or(policy.default_expires);
    // RFC 3261 §10.3 step 7 lets a registrar refuse only what is below its minimum and below an hour.
    if wish > 0 && wish < policy.min_expires && wish < 3600 {
        return Err(Refusal::TooBrief { min_expires: policy.min_expires });
    }
    Ok(wish.min(policy.max_expires))
}

/// RFC 3261 §19.1.4; what is no URI equals only its own text.
fn same_uri(a: &str, b: &str) -> bool {
    match (Uri::parse(a), Uri::parse(b)) {
        (Ok(left), Ok(right)) => left.is_equivalent(&right),
        _ => a == b,
    }
}
