//! What a REGISTER asks of the registrar.

use super::Binding;
use crate::header::Contact;
use crate::{Message, ParseError};

/// A REGISTER as the registrar sees it (RFC 3261 §10.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterRequest {
    /// The Call-ID.
    pub call_id: String,
    /// The CSeq number.
    pub cseq: u32,
    /// The `Expires` field, seconds.
    pub expires: Option<u32>,
    /// What is to be done with which contacts.
    pub contacts: Contacts,
}

/// The `Contact` values of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// None: a query.
    None,
    /// `*`: remove all; only allowed `alone`.
    Star {
        /// No other value stands beside it.
        alone: bool,
    },
    /// Contacts to add, refresh or remove.
    List(Vec<ContactWish>),
}

/// One contact to add, refresh or remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactWish {
    /// The URI.
    pub uri: String,
    /// Other parameters, each with its leading semicolon.
    pub params: String,
    /// `+sip.instance` without quotes and angle brackets.
    pub instance: Option<String>,
    /// `reg-id`.
    pub reg_id: Option<u32>,
    /// Preference in thousandths.
    pub q: Option<u16>,
    /// The `expires` parameter, seconds.
    pub expires: Option<u32>,
}

impl RegisterRequest {
    /// Reads a REGISTER.
    ///
    /// # Errors
    /// A field is malformed; the answer is that of [`ParseError::answer`].
    pub fn of(message: &Message) -> Result<Self, ParseError> {
        let mut star = false;
        let mut list = Vec::new();
        for contact in message.contacts() {
            match contact? {
                Contact::Any => star = true,
                Contact::Address(address) => list.push(ContactWish::of(&address)),
            }
        }
        let contacts = match (star, list.is_empty()) {
            (true, alone) => Contacts::Star { alone },
            (false, true) => Contacts::None,
            (false, false) => Contacts::List(list),
        };
        Ok(Self {
            call_id: message.call_id()?.to_owned(),
            cseq: message.cseq()?.number,
            expires: message.expires()?,
            contacts,
        })
    }
}

impl ContactWish {
    fn of(address: &crate::header::ContactAddress<'_>) -> Self {
        let mut params = String::new();
        for param in address.params().iter().filter(|param| !param.is("q") && !param.is("expires")) {
            params.push(';');
            params.push_str(param.name);
            if let Some(value) = param.value {
                params.push('=');
                params.push_str(value);
            }
        }
        Self {
            uri: match address.uri().sip() {
                Some(uri) => uri.without_void_port().into_owned(),
                None => address.uri().as_str().to_owned(),
            },
            params,
            instance: address.instance().map(str::to_owned),
            reg_id: address.reg_id(),
            q: address.q(),
            expires: address.expires(),
        }
    }

    pub(super) fn binding(&self, request: &RegisterRequest, expires_at: u64) -> Binding {
        Binding {
            uri: self.uri.clone(),
            params: self.params.clone(),
            instance: self.instance.clone(),
            reg_id: self.reg_id,
            q: self.q,
            call_id: request.call_id.clone(),
            cseq: request.cseq,
            expires_at,
        }
    }
}
