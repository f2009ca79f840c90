//! IMDN documents (RFC 5438 §11, `message/imdn+xml`) with the CPM interworking notification, and the states
//! that follow from them.

mod read;
mod track;
mod write;

use std::borrow::Cow;

pub use track::{ImdnTracker, RecipientState, Recorded, TrackerFull};

use crate::{Limits, ParseError, WriteError};

/// The namespace of IMDN documents (RFC 5438 §11.1).
pub const IMDN_XML_NAMESPACE: &str = "urn:ietf:params:xml:ns:imdn";
/// The namespace of the CPM extension (CONV-IMDN-002).
pub const EXTENSION_NAMESPACE: &str = "urn:oma:xml:cpm:imdn-extensions:1.0";
/// The media type of IMDN documents (RFC 5438 §11.1.8).
pub const CONTENT_TYPE: &str = "message/imdn+xml";
/// The disposition of an IMDN payload (RFC 5438 §7.2.1).
pub const CONTENT_DISPOSITION: &str = "notification";

/// One IMDN document.
///
/// ```
/// use cpm_cpim::{Limits, imdn::{Delivery, Imdn, Notification}};
///
/// let sent = Imdn::new("34jk324j", "2006-04-04T12:16:49-05:00", Notification::Delivery(Delivery::Delivered));
/// let xml = sent.write()?;
/// assert_eq!(Imdn::parse(xml.as_bytes(), &Limits::default())?, sent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imdn<'a> {
    /// `message-id`: the Message-ID of the message this is about.
    pub message_id: Cow<'a, str>,
    /// `datetime`: the DateTime of that message, as written. For display only (CONV-IMDN-004).
    pub datetime: Cow<'a, str>,
    /// `recipient-uri`.
    pub recipient_uri: Option<Cow<'a, str>>,
    /// `original-recipient-uri`.
    pub original_recipient_uri: Option<Cow<'a, str>>,
    /// `subject`.
    pub subject: Option<Cow<'a, str>>,
    /// What is reported.
    pub notification: Notification,
}

impl<'a> Imdn<'a> {
    /// A document with the mandatory elements.
    #[must_use]
    pub fn new(
        message_id: impl Into<Cow<'a, str>>,
        datetime: impl Into<Cow<'a, str>>,
        notification: Notification,
    ) -> Self {
        Self {
            message_id: message_id.into(),
            datetime: datetime.into(),
            recipient_uri: None,
            original_recipient_uri: None,
            subject: None,
            notification,
        }
    }

    /// Reads a document. Elements of other namespaces are skipped; a DOCTYPE is refused.
    ///
    /// # Errors
    /// The first fault, by kind and offset.
    pub fn parse(xml: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        read::read(xml, limits)
    }

    /// Writes the document.
    ///
    /// # Errors
    /// [`WriteError::XmlCharacter`] for a text that XML 1.0 cannot carry.
    pub fn write(&self) -> Result<String, WriteError> {
        write::write(self)
    }

    /// The same document on its own.
    #[must_use]
    pub fn into_owned(self) -> Imdn<'static> {
        let own = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Imdn {
            message_id: own(self.message_id),
            datetime: own(self.datetime),
            recipient_uri: self.recipient_uri.map(own),
            original_recipient_uri: self.original_recipient_uri.map(own),
            subject: self.subject.map(own),
            notification: self.notification,
        }
    }
}

/// What an IMDN reports: the kind of notification and its status.
// spec: CONV-IMDN-001 CONV-IMDN-002
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notification {
    /// `delivery-notification`.
    Delivery(Delivery),
    /// `display-notification`.
    Display(Display),
    /// `processing-notification`.
    Processing(Processing),
    /// `interworking-notification` of the CPM extension.
    Interworking(Interworking),
    /// A notification of another extension; there is nothing to do with it.
    Extension,
}

/// The status of a delivery notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Delivery {
    /// `error`: the fate of the message is not known.
    Error,
    /// `forbidden`.
    Forbidden,
    /// `failed`.
    Failed,
    /// `delivered`.
    Delivered,
}

/// The status of a display notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Display {
    /// `error`.
    Error,
    /// `forbidden`.
    Forbidden,
    /// `displayed`.
    Displayed,
}

/// The status of a processing notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Processing {
    /// `error`.
    Error,
    /// `forbidden`.
    Forbidden,
    /// `stored`.
    Stored,
    /// `processed`.
    Processed,
}

/// The status of an interworking notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interworking {
    /// `error`.
    Error,
    /// `forbidden`, which is read but not defined.
    Forbidden,
    /// `legacy-mms`: the message left as an MMS.
    LegacyMms,
    /// `legacy-sms`: the message left as an SMS.
    LegacySms,
}

/// The kinds of notification element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delivery,
    Display,
    Processing,
    Interworking,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Delivery, Self::Display, Self::Processing, Self::Interworking];

    const fn element(self) -> &'static str {
        match self {
            Self::Delivery => "delivery-notification",
            Self::Display => "display-notification",
            Self::Processing => "processing-notification",
            Self::Interworking => "interworking-notification",
        }
    }

    const fn namespace(self) -> &'static str {
        match self {
            Self::Interworking => EXTENSION_NAMESPACE,
            _ => IMDN_XML_NAMESPACE,
        }
    }
}

/// Every status: the kind it belongs to, its element, its value.
const STATUSES: [(Kind, &str, Notification); 15] = [
    (Kind::Delivery, "delivered", Notification::Delivery(Delivery::Delivered)),
    (Kind::Delivery, "failed", Notification::Delivery(Delivery::Failed)),
    (Kind::Delivery, "forbidden", Notification::Delivery(Delivery::Forbidden)),
    (Kind::Delivery, "error", Notification::Delivery(Delivery::Error)),
    (Kind::Display, "displayed", Notification::Display(Display::Displayed)),
    (Kind::Display, "forbidden", Notification::Display(Display::Forbidden)),
    (Kind::Display, "error", Notification::Display(Display::Error)),
    (Kind::Processing, "processed", Notification::Processing(Processing::Processed)),
    (Kind::Processing, "stored", Notification::Processing(Processing::Stored)),
    (Kind::Processing, "forbidden", Notification::Processing(Processing::Forbidden)),
    (Kind::Processing, "error", Notification::Processing(Processing::Error)),
    (Kind::Interworking, "legacy-sms", Notification::Interworking(Interworking::LegacySms)),
    (Kind::Interworking, "legacy-mms", Notification::Interworking(Interworking::LegacyMms)),
    (Kind::Interworking, "forbidden", Notification::Interworking(Interworking::Forbidden)),
    (Kind::Interworking, "error", Notification::Interworking(Interworking::Error)),
];

impl Notification {
    /// The name of the status element, such as `delivered`; empty for an unknown extension.
    #[must_use]
    pub fn status(self) -> &'static str {
        STATUSES.iter().find(|(_, _, n)| *n == self).map_or("", |(_, name, _)| name)
    }

    /// The name of the notification element, such as `delivery-notification`; empty for an unknown extension.
    #[must_use]
    pub fn element(self) -> &'static str {
        self.kind().map_or("", Kind::element)
    }

    fn kind(self) -> Option<Kind> {
        STATUSES.iter().find(|(_, _, n)| *n == self).map(|(kind, _, _)| *kind)
    }
}

#[cfg(test)]
mod tests;
