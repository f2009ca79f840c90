//! Quality of protection.

/// What a digest protects (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    /// The request line.
    Auth,
    /// The request line and the body.
    AuthInt,
}

impl Qop {
    /// The token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// The quality of this token, in any case.
    pub fn of_token(token: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|qop| token.eq_ignore_ascii_case(qop.as_str()))
    }
}
