//! One iterator for comma lists and repeated fields.

use crate::lex::{Cursor, Read};
use crate::{Fault, HeaderId, ParseError};
use core::marker::PhantomData;

/// A field value of a message with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) text: &'a str,
    pub(crate) at: u16,
}

impl<'a> Part<'a> {
    /// The first element of a comma list.
    #[inline]
    pub(crate) fn first<T: Read<'a>>(&self) -> Result<T, ParseError> {
        let mut cursor = Cursor::new(self.text);
        let value = T::read(&mut cursor)?;
        cursor.white();
        if cursor.is_end() || cursor.peek() == Some(b',') {
            Ok(value)
        } else {
            Err(cursor.fail(Fault::Trailing))
        }
    }
}

/// The values of all fields of one kind, in order. After an error nothing more comes.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a, T, I> {
    id: HeaderId,
    fields: I,
    /// The rest of the field that is being read, and where its value begins.
    current: Option<(Cursor<'a>, u16)>,
    /// An element must follow, because a comma stood before it.
    owed: bool,
    failed: bool,
    kind: PhantomData<fn() -> T>,
}

impl<'a, T, I: Iterator<Item = Part<'a>>> Values<'a, T, I> {
    pub(crate) fn new(id: HeaderId, fields: I) -> Self {
        Self { id, fields, current: None, owed: false, failed: false, kind: PhantomData }
    }
}

impl<'a, T: Read<'a>, I: Iterator<Item = Part<'a>>> Values<'a, T, I> {
    #[inline]
    fn step(&mut self) -> Option<Result<T, (ParseError, u16)>> {
        loop {
            let (mut cursor, at) = match self.current.take() {
                Some(current) => current,
                None => {
                    let part = self.fields.next()?;
                    let mut cursor = Cursor::new(part.text);
                    cursor.white();
                    if cursor.is_end() && may_be_empty(self.id) {
                        continue;
                    }
                    (cursor, part.at)
                }
            };
            if cursor.is_end() && !self.owed && cursor.at() > 0 {
                continue;
            }
            return Some(self.element(&mut cursor, at).map_err(|error| (error, at)));
        }
    }

    #[inline]
    fn element(&mut self, cursor: &mut Cursor<'a>, at: u16) -> Result<T, ParseError> {
        if cursor.is_end() || cursor.peek() == Some(b',') {
            return Err(cursor.fail(Fault::Empty));
        }
        let value = T::read(cursor)?;
        cursor.white();
        self.owed = cursor.separator(b',');
        if !self.owed && !cursor.is_end() {
            return Err(cursor.fail(Fault::Trailing));
        }
        self.current = Some((*cursor, at));
        Ok(value)
    }
}

impl<'a, T: Read<'a>, I: Iterator<Item = Part<'a>>> Iterator for Values<'a, T, I> {
    type Item = Result<T, ParseError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        match self.step()? {
            Ok(value) => Some(Ok(value)),
            Err((error, at)) => {
                self.failed = true;
                Some(Err(error.in_field(self.id, usize::from(at))))
            }
        }
    }
}

/// RFC 3261 §25.1 puts brackets around the whole list of these fields.
fn may_be_empty(id: HeaderId) -> bool {
    matches!(
        id,
        HeaderId::Accept
            | HeaderId::AcceptEncoding
            | HeaderId::AcceptLanguage
            | HeaderId::Allow
            | HeaderId::Supported
    )
}
