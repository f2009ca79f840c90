//! The digest computation (RFC 7616 §3.4.1, RFC 3261 §22.4).

use super::algorithm::HexHash;
use super::{Algorithm, Qop};

/// `H(A1)` (RFC 7616 §3.4.2): user, realm and password.
pub fn ha1(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> HexHash {
    algorithm.hash(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()])
}

/// `H(user ":" realm)`, what a client that hides its name sends (RFC 7616 §3.4.4).
pub fn userhash(algorithm: Algorithm, user: &str, realm: &str) -> HexHash {
    algorithm.hash(&[user.as_bytes(), realm.as_bytes()])
}

/// What a digest covers besides the secret.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// The `uri` parameter, as sent.
    pub uri: &'a str,
    /// The body, covered by `auth-int` only.
    pub body: &'a [u8],
    /// The `nonce` parameter.
    pub nonce: &'a str,
    /// How much is protected, with the parameters that go with it; `None` for the form of RFC 2069.
    pub qop: Option<Protection<'a>>,
}

/// Parameters present if `qop` is.
#[derive(Clone, Copy, Debug)]
pub struct Protection<'a> {
    /// `auth` or `auth-int`.
    pub qop: Qop,
    /// The `nc` parameter: eight hexadecimal digits as sent.
    pub nc: &'a str,
    /// The `cnonce` parameter.
    pub cnonce: &'a str,
}

/// The `response` parameter (RFC 7616 §3.4.1; without qop the form of RFC 2069, RFC 3261 §22.4 point 8).
// spec: RFC7616-3.4.1 RFC8760-2.4
pub fn response(algorithm: Algorithm, ha1: &HexHash, covered: &Covered<'_>) -> HexHash {
    let (method, uri) = (covered.method.as_bytes(), covered.uri.as_bytes());
    let integrity = covered.qop.is_some_and(|protection| protection.qop == Qop::AuthInt);
    let ha2 = if integrity {
        let body = algorithm.hash(&[covered.body]);
        algorithm.hash(&[method, uri, body.as_bytes()])
    } else {
        algorithm.hash(&[method, uri])
    };
    let nonce = covered.nonce.as_bytes();
    match covered.qop {
        Some(Protection { qop, nc, cnonce }) => algorithm.hash(&[
            ha1.as_bytes(),
            nonce,
            nc.as_bytes(),
            cnonce.as_bytes(),
            qop.as_str().as_bytes(),
            ha2.as_bytes(),
        ]),
        None => algorithm.hash(&[ha1.as_bytes(), nonce, ha2.as_bytes()]),
    }
}
