//! Names of CPIM headers and of their namespaces.

/// The default namespace of message/cpim (RFC 3862 §6).
pub const CPIM_NAMESPACE: &str = "urn:ietf:params:cpim-headers:";
/// The namespace of the IMDN headers (RFC 5438 §6.1).
pub const IMDN_NAMESPACE: &str = "urn:ietf:params:imdn";
/// The namespace of the CPM headers (CONV-BODY-014).
pub const CPM_NAMESPACE: &str = "http://www.openmobilealliance.org/cpm/";

/// A namespace as far as this crate knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// [`CPIM_NAMESPACE`].
    Cpim,
    /// [`IMDN_NAMESPACE`].
    Imdn,
    /// [`CPM_NAMESPACE`].
    Cpm,
    /// Declared, but none of these.
    Other,
    /// The prefix is not declared; only in tolerant reading.
    Undeclared,
}

impl Namespace {
    // spec: CONV-BODY-002
    pub(crate) fn of_uri(uri: &str) -> Self {
        match uri {
            CPIM_NAMESPACE => Self::Cpim,
            IMDN_NAMESPACE => Self::Imdn,
            CPM_NAMESPACE => Self::Cpm,
            _ => Self::Other,
        }
    }
}

/// A header this crate knows: its namespace and name together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Field {
    /// `From` (RFC 3862 §4.1).
    From,
    /// `To` (RFC 3862 §4.2).
    To,
    /// `cc` (RFC 3862 §4.3, CONV-BODY-009).
    Cc,
    /// `DateTime` (RFC 3862 §4.4).
    DateTime,
    /// `Subject` (RFC 3862 §4.5).
    Subject,
    /// `NS` (RFC 3862 §4.6).
    Ns,
    /// `Require` (RFC 3862 §4.7).
    Require,
    /// `imdn.Message-ID` (RFC 5438 §6.3).
    MessageId,
    /// `imdn.Disposition-Notification` (RFC 5438 §6.2).
    DispositionNotification,
    /// `imdn.Original-To` (RFC 5438 §6.4).
    OriginalTo,
    /// `imdn.IMDN-Record-Route` (RFC 5438 §6.5).
    RecordRoute,
    /// `imdn.IMDN-Route` (RFC 5438 §6.6).
    Route,
    /// `cpm.Payload-Type` (CONV-BODY-014).
    PayloadType,
    /// Any other.
    Other,
}

/// Every known field with its namespace and name.
const KNOWN: [(Field, Namespace, &str); 13] = [
    (Field::From, Namespace::Cpim, "From"),
    (Field::To, Namespace::Cpim, "To"),
    (Field::Cc, Namespace::Cpim, "cc"),
    (Field::DateTime, Namespace::Cpim, "DateTime"),
    (Field::Subject, Namespace::Cpim, "Subject"),
    (Field::Ns, Namespace::Cpim, "NS"),
    (Field::Require, Namespace::Cpim, "Require"),
    (Field::MessageId, Namespace::Imdn, "Message-ID"),
    (Field::DispositionNotification, Namespace::Imdn, "Disposition-Notification"),
    (Field::OriginalTo, Namespace::Imdn, "Original-To"),
    (Field::RecordRoute, Namespace::Imdn, "IMDN-Record-Route"),
    (Field::Route, Namespace::Imdn, "IMDN-Route"),
    (Field::PayloadType, Namespace::Cpm, "Payload-Type"),
];

impl Field {
    /// The name without prefix; empty for [`Field::Other`].
    #[must_use]
    pub fn name(self) -> &'static str {
        KNOWN.iter().find(|known| known.0 == self).map_or("", |known| known.2)
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(self) -> Namespace {
        KNOWN.iter().find(|known| known.0 == self).map_or(Namespace::Other, |known| known.1)
    }

    /// Whether a message may hold it at most once.
    #[must_use]
    pub const fn is_single(self) -> bool {
        matches!(self, Self::From | Self::DateTime | Self::MessageId | Self::OriginalTo)
    }

    /// The field of a resolved name. Names are case-sensitive (RFC 3862 §2.2) unless `any_case`.
    pub(crate) fn resolve(namespace: Namespace, name: &[u8], any_case: bool) -> Self {
        let exact = match namespace {
            Namespace::Other | Namespace::Undeclared => return Self::Other,
            Namespace::Cpim => match name {
                b"From" => Self::From,
                b"To" => Self::To,
                b"cc" => Self::Cc,
                b"DateTime" => Self::DateTime,
                b"Subject" => Self::Subject,
                b"NS" => Self::Ns,
                b"Require" => Self::Require,
                _ => Self::Other,
            },
            Namespace::Imdn => match name {
                b"Message-ID" => Self::MessageId,
                b"Disposition-Notification" => Self::DispositionNotification,
                b"Original-To" => Self::OriginalTo,
                b"IMDN-Record-Route" => Self::RecordRoute,
                b"IMDN-Route" => Self::Route,
                _ => Self::Other,
            },
            Namespace::Cpm if name == b"Payload-Type" => Self::PayloadType,
            Namespace::Cpm => Self::Other,
        };
        if exact != Self::Other || !any_case {
            return exact;
        }
        let same = |known: &&(Self, Namespace, &str)| {
            known.1 == namespace && known.2.as_bytes().eq_ignore_ascii_case(name)
        };
        KNOWN.iter().find(same).map_or(Self::Other, |known| known.0)
    }
}
