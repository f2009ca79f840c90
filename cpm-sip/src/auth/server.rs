//! The server's half of digest authentication.

use super::digest::{Covered, Protection, ha1, response, userhash};
use super::nonce::{NonceState, Nonces};
use super::{Algorithm, Qop, Secret};
use crate::header::{Credentials, quote};
use cpm_base::Now;
use std::net::IpAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// What a [`Verifier`] demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierConfig {
    /// The realm: the domain served.
    pub realm: String,
    /// Algorithms offered, each in a challenge of its own, in this order. A peer that reads only the first
    /// challenge must find its algorithm there (RFC 8760 §2.4 wants the preferred one first).
    pub algorithms: Vec<Algorithm>,
    /// How long a nonce is good. Default 300 s.
    pub nonce_lifetime: Duration,
    /// Nonces in use whose counts are remembered; beyond, the oldest become stale. Default 100 000.
    pub nonces: usize,
    /// Offer `auth-int` beside `auth`. Off by default: some clients take it and leave the body out of the digest.
    /// Credentials with `auth-int` are accepted in any case.
    pub offer_integrity: bool,
    /// Refuse a digest `uri` that is not the Request-URI. Off by default: deployed clients put another form of the
    /// address there, and the nonce count already forbids using a digest twice.
    pub strict_uri: bool,
}

impl VerifierConfig {
    /// SHA-256, then MD5, for this realm.
    pub fn new(realm: impl Into<String>) -> Self {
        Self {
            realm: realm.into(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            nonce_lifetime: Duration::from_secs(300),
            nonces: 100_000,
            offer_integrity: false,
            strict_uri: false,
        }
    }
}

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The user is who it says.
    Accepted,
    /// The secret is right, but the nonce is too old or its count was used: challenge again with `stale=true`.
    Stale,
    /// Not accepted.
    Rejected(Rejected),
}

/// Why credentials are not accepted. For counting only: the answer to the peer is the same challenge each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// Another scheme or realm: not meant for us.
    #[error("credentials for another realm")]
    Realm,
    /// A parameter is missing, doubled or malformed.
    #[error("malformed credentials")]
    Malformed,
    /// An algorithm or protection that is not offered.
    #[error("algorithm or qop not offered")]
    NotOffered,
    /// The digest covers another URI.
    #[error("digest for another URI")]
    Uri,
    /// No such user, or the wrong secret; nobody can tell which.
    #[error("wrong user or secret")]
    Secret,
}

/// What a request offers for verification.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Where the request came from; nonces are bound to it.
    pub peer: IpAddr,
    /// The method of the request line.
    pub method: &'a str,
    /// The Request-URI.
    pub uri: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The credentials.
    pub credentials: &'a Credentials<'a>,
}

/// Makes challenges and verifies credentials. Holds no per-user state and no nonce before its first correct use.
#[derive(Debug)]
pub struct Verifier {
    config: VerifierConfig,
    nonces: Nonces,
}

impl Verifier {
    /// A verifier whose nonces are signed with a key from `seed`, a secret.
    pub fn new(config: VerifierConfig, seed: [u8; 32]) -> Self {
        let nonces = Nonces::new(seed, config.nonce_lifetime, config.nonces);
        Self { config, nonces }
    }

    /// The realm.
    pub fn realm(&self) -> &str {
        &self.config.realm
    }

    /// Nonces whose counts are remembered at present.
    pub fn live_nonces(&self) -> usize {
        self.nonces.len()
    }

    /// The challenges for a 401 or 407: the values of one `WWW-Authenticate` or `Proxy-Authenticate` field each, in
    /// the configured order, with one nonce.
    // spec: RFC3261-22.4 RFC7616-3.3 RFC8760-2.4
    pub fn challenges(&mut self, now: Now, peer: IpAddr, stale: bool) -> Vec<String> {
        let nonce = self.nonces.make(now, peer);
        let stale = if stale { ", stale=true" } else { "" };
        let realm = quote(&self.config.realm);
        let qop = if self.config.offer_integrity { "auth,auth-int" } else { "auth" };
        let value = |algorithm: &Algorithm| {
            format!("Digest realm={realm}, nonce=\"{nonce}\", algorithm={algorithm}, qop=\"{qop}\"{stale}")
        };
        self.config.algorithms.iter().map(value).collect()
    }

    /// The user name that credentials claim, for the look-up of the secret. `known` gives the names to try when the
    /// client sent a hash instead (RFC 7616 §3.4.4), which we do not invite but tolerate.
    pub fn claimed_user<'a>(
        &self,
        credentials: &Credentials<'_>,
        mut known: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let name = credentials.params.value("username")?;
        if !credentials.params.raw("userhash").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Some(name.into_owned());
        }
        let algorithm = self.algorithm(credentials)?;
        known.find(|user| userhash(algorithm, user, &self.config.realm).as_str() == name).map(String::from)
    }

    /// Judges credentials. `secret` is the password of the claimed user, `None` if there is no such user: the same
    /// work is done then, and the verdict is that of a wrong password.
    // spec: RFC3261-22.4 RFC7616-3.4 RFC8760-2.4
    pub fn verify(
        &mut self,
        now: Now,
        user: &str,
        presented: &Presented<'_>,
        secret: Option<&Secret>,
    ) -> Verdict {
        match self.judge(now, user, presented, secret) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Rejected(why),
        }
    }

    fn judge(
        &mut self,
        now: Now,
        user: &str,
        presented: &Presented<'_>,
        secret: Option<&Secret>,
    ) -> Result<Verdict, Rejected> {
        let fields = Fields::read(presented.credentials)?;
        if !presented.credentials.is_digest() || fields.realm != self.config.realm {
            return Err(Rejected::Realm);
        }
        let algorithm = self.algorithm(presented.credentials).ok_or(Rejected::NotOffered)?;
        // Without qop a digest could be used again for as long as its nonce lives (RFC 7616 §3.4: MUST be sent).
        let qop = fields.qop.as_deref().and_then(Qop::of_token).ok_or(Rejected::NotOffered)?;
        let (Some(nc), Some(cnonce)) = (fields.nc, fields.cnonce.as_deref()) else {
            return Err(Rejected::Malformed);
        };
        let count = nonce_count(nc).ok_or(Rejected::Malformed)?;
        if self.config.strict_uri && fields.uri != presented.uri {
            return Err(Rejected::Uri);
        }
        let covered = Covered {
            method: presented.method,
            uri: &fields.uri,
            body: presented.body,
            nonce: &fields.nonce,
            qop: Some(Protection { qop, nc, cnonce }),
        };
        let password = secret.map_or("", Secret::expose);
        let expected = response(algorithm, &ha1(algorithm, user, &self.config.realm, password), &covered);
        let given = fields.response.to_ascii_lowercase();
        let right = bool::from(expected.as_bytes().ct_eq(given.as_bytes())) & secret.is_some();
        let state = self.nonces.check(now, presented.peer, &fields.nonce);
        if !right {
            return Err(Rejected::Secret);
        }
        match state {
            NonceState::Fresh(number) if self.nonces.accept(now, number, count) => Ok(Verdict::Accepted),
            _ => Ok(Verdict::Stale),
        }
    }

    fn algorithm(&self, credentials: &Credentials<'_>) -> Option<Algorithm> {
        let named = match credentials.params.value("algorithm") {
            Some(token) => Algorithm::of_token(&token)?,
            None => Algorithm::Md5,
        };
        self.config.algorithms.contains(&named).then_some(named)
    }
}

/// The parameters of credentials, each at most once.
struct Fields<'a> {
    realm: String,
    nonce: String,
    uri: String,
    response: String,
    qop: Option<String>,
    nc: Option<&'a str>,
    cnonce: Option<String>,
}

impl<'a> Fields<'a> {
    fn read(credentials: &'a Credentials<'_>) -> Result<Self, Rejected> {
        let text = |name: &str| match credentials.params.once(name) {
            Ok(param) => Ok(param.and_then(|param| param.unquoted()).map(|value| value.into_owned())),
            Err(_) => Err(Rejected::Malformed),
        };
        let needed = |name: &str| text(name)?.ok_or(Rejected::Malformed);
        for once in ["username", "algorithm", "nc", "userhash"] {
            credentials.params.once(once).map_err(|_| Rejected::Malformed)?;
        }
        Ok(Self {
            realm: needed("realm")?,
            nonce: needed("nonce")?,
            uri: needed("uri")?,
            response: needed("response")?,
            qop: text("qop")?,
            nc: credentials.params.raw("nc"),
            cnonce: text("cnonce")?,
        })
    }
}

/// `nc-value`: eight hexadecimal digits (RFC 7616 §3.4); zero is never sent.
fn nonce_count(text: &str) -> Option<u32> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u32::from_str_radix(text, 16).ok()).flatten().filter(|count| *count > 0)
}
