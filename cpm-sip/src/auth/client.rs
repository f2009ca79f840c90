//! The client's half of digest authentication.

use super::digest::{Covered, Protection, ha1, response};
use super::{Algorithm, Qop, Secret};
use crate::header::{Challenge, quote};
use cpm_base::Rng;
use std::fmt::Write as _;

/// Which pair of header fields a challenge belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// 401: `WWW-Authenticate` and `Authorization`.
    Server,
    /// 407: `Proxy-Authenticate` and `Proxy-Authorization`.
    Proxy,
}

/// Credentials for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Which field they go into.
    pub role: Role,
    /// The value of the field.
    pub value: String,
}

/// Why a challenge is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No challenge for our realm with an algorithm and protection we have.
    #[error("no challenge can be answered")]
    NoneUsable,
    /// The peer saw our credentials for its present nonce and did not take them.
    #[error("credentials were not accepted")]
    Rejected,
}

/// A user's credentials and the challenges it answers, one per [`Role`]. Once challenged it authenticates every
/// further request by itself with a higher nonce count.
#[derive(Debug)]
pub struct Authenticator {
    user: String,
    secret: Secret,
    realm: Option<String>,
    server: Slot,
    proxy: Slot,
}

#[derive(Debug, Default)]
struct Slot {
    challenge: Option<Answered>,
    /// Challenges answered since the last request that passed.
    tries: u8,
}

#[derive(Debug)]
struct Answered {
    algorithm: Algorithm,
    qop: Option<Qop>,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    count: u32,
    cnonce: String,
}

impl Authenticator {
    /// Credentials for `user`. With a `realm`, challenges of any other are not answered (threats 7.4).
    pub fn new(user: impl Into<String>, secret: Secret, realm: Option<String>) -> Self {
        Self { user: user.into(), secret, realm, server: Slot::default(), proxy: Slot::default() }
    }

    /// Takes the challenges of a 401 or 407. On `Ok` the request is sent again with [`Self::authorize`], with a new
    /// CSeq. One retry per challenge: a second challenge for the same attempt is followed only if it says that our
    /// nonce was stale.
    ///
    /// # Errors
    /// The request has failed.
    // spec: RFC3261-22.2 RFC3261-22.3 RFC8760-2.4
    pub fn challenged<'a>(
        &mut self,
        rng: &mut Rng,
        role: Role,
        challenges: impl Iterator<Item = Challenge<'a>>,
    ) -> Result<(), Refusal> {
        let (realm, slot) = match role {
            Role::Server => (self.realm.as_deref(), &mut self.server),
            Role::Proxy => (self.realm.as_deref(), &mut self.proxy),
        };
        let offers: Vec<Offer> = challenges.filter_map(|challenge| Offer::read(&challenge, realm)).collect();
        // RFC 8760 §2.4: the first one that is supported; SHA-256 goes before MD5 in whatever order they stand.
        let strong = offers.iter().position(|offer| offer.answer.algorithm == Algorithm::Sha256);
        let Some(offer) = offers.into_iter().nth(strong.unwrap_or(0)) else {
            return Err(Refusal::NoneUsable);
        };
        // A nonce kept from an earlier request may be too old without the peer saying `stale`, after it restarted
        // for instance; so the first challenge of an attempt is always answered.
        let limit = if offer.stale { 2 } else { 1 };
        if slot.tries >= limit {
            *slot = Slot::default();
            return Err(Refusal::Rejected);
        }
        slot.tries += 1;
        slot.challenge = Some(Answered { cnonce: rng.base32(16), ..offer.answer });
        Ok(())
    }

    /// The peer took a request with our credentials, or refused it for another reason.
    pub fn passed(&mut self) {
        self.server.tries = 0;
        self.proxy.tries = 0;
    }

    /// Credentials for a request: one for each role that has challenged before. Counts the nonces up.
    pub fn authorize(&mut self, method: &str, uri: &str, body: &[u8]) -> Vec<Authorization> {
        let (user, secret) = (&self.user, &self.secret);
        [(Role::Server, &mut self.server), (Role::Proxy, &mut self.proxy)]
            .into_iter()
            .filter_map(|(role, slot)| {
                let challenge = slot.challenge.as_mut()?;
                challenge.count = challenge.count.checked_add(1)?;
                let value = challenge.value(user, secret, method, uri, body);
                Some(Authorization { role, value })
            })
            .collect()
    }
}

impl Answered {
    fn value(&self, user: &str, secret: &Secret, method: &str, uri: &str, body: &[u8]) -> String {
        let nc = format!("{:08x}", self.count);
        let qop = self.qop.map(|qop| Protection { qop, nc: &nc, cnonce: &self.cnonce });
        let covered = Covered { method, uri, body, nonce: &self.nonce, qop };
        let digest =
            response(self.algorithm, &ha1(self.algorithm, user, &self.realm, secret.expose()), &covered);
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}",
            quote(user),
            quote(&self.realm),
            quote(&self.nonce),
            quote(uri),
            digest.as_str(),
            self.algorithm
        );
        if let Some(Protection { qop, nc, cnonce }) = qop {
            let _ = write!(value, ", qop={}, nc={nc}, cnonce=\"{cnonce}\"", qop.as_str());
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque={}", quote(opaque));
        }
        value
    }
}

/// A challenge we can answer.
struct Offer {
    answer: Answered,
    stale: bool,
}

impl Offer {
    fn read(challenge: &Challenge<'_>, wanted: Option<&str>) -> Option<Self> {
        if !challenge.is_digest() {
            return None;
        }
        let params = &challenge.params;
        let realm = params.value("realm")?.into_owned();
        if wanted.is_some_and(|wanted| wanted != realm) {
            return None;
        }
        let algorithm = match params.value("algorithm") {
            Some(token) => Algorithm::of_token(&token)?,
            None => Algorithm::Md5,
        };
        let qop = match params.value("qop") {
            None => None,
            Some(list) => {
                let offered: Vec<Qop> =
                    list.split(',').filter_map(|token| Qop::of_token(token.trim())).collect();
                let auth = offered.iter().find(|qop| **qop == Qop::Auth);
                Some(*auth.or(offered.first())?)
            }
        };
        let stale = params.value("stale").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let nonce = params.value("nonce")?.into_owned();
        let opaque = params.value("opaque").map(|value| value.into_owned());
        let answer = Answered { algorithm, qop, realm, nonce, opaque, count: 0, cnonce: String::new() };
        Some(Self { answer, stale })
    }
}
