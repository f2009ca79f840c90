//! Content-Type, Accept and Content-Disposition (RFC 3261 §20.1, §20.11, §20.15).

use crate::lex::{Cursor, Read};
use crate::uri::Params;
use crate::{Fault, ParseError};
use core::fmt;

/// Content-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'a> {
    main: &'a str,
    sub: &'a str,
    params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// The type, as `message`.
    pub fn main(&self) -> &'a str {
        self.main
    }

    /// The subtype, as `cpim`.
    pub fn sub(&self) -> &'a str {
        self.sub
    }

    /// The parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// Whether this is `main/sub`, without case.
    pub fn is(&self, main: &str, sub: &str) -> bool {
        self.main.eq_ignore_ascii_case(main) && self.sub.eq_ignore_ascii_case(sub)
    }
}

impl<'a> Read<'a> for MediaType<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let main = cursor.token()?;
        if !cursor.separator(b'/') {
            return Err(cursor.fail(Fault::Token));
        }
        let sub = cursor.token()?;
        let params = Params::read(cursor, |_, _| Ok(()))?;
        Ok(Self { main, sub, params })
    }
}

impl fmt::Display for MediaType<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}{}", self.main, self.sub, self.params.as_str())
    }
}

/// One value of Accept. `*` is a token, so a range has the grammar of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaRange<'a> {
    range: MediaType<'a>,
    q: u16,
}

impl<'a> MediaRange<'a> {
    /// The range with its parameters.
    pub fn range(&self) -> MediaType<'a> {
        self.range
    }

    /// The preference in thousandths; 0 refuses.
    pub fn q(&self) -> u16 {
        self.q
    }

    /// Whether the range covers a type, parameters aside.
    pub fn covers(&self, main: &str, sub: &str) -> bool {
        let part = |range: &str, name: &str| range == "*" || range.eq_ignore_ascii_case(name);
        part(self.range.main, main) && part(self.range.sub, sub)
    }
}

impl<'a> Read<'a> for MediaRange<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let range = MediaType::read(cursor)?;
        let q = match range.params.value("q") {
            Some(text) => super::address::qvalue(text).ok_or_else(|| cursor.fail(Fault::Param))?,
            None => 1000,
        };
        Ok(Self { range, q })
    }
}

/// Content-Disposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition<'a> {
    kind: &'a str,
    params: Params<'a>,
}

impl<'a> Disposition<'a> {
    /// The disposition type, as `render`.
    pub fn kind(&self) -> &'a str {
        self.kind
    }

    /// The parameters.
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// Whether a receiver that does not understand the body may ignore it (`handling=optional`).
    pub fn is_optional(&self) -> bool {
        self.params.value("handling").is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
    }
}

impl<'a> Read<'a> for Disposition<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        let kind = cursor.token()?;
        let params = Params::read(cursor, |_, _| Ok(()))?;
        Ok(Self { kind, params })
    }
}
