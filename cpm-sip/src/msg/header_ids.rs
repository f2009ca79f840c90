//! The header fields we know by number: long name, compact form, and whether they stand once per message.

use core::fmt;

/// Reason phrases that name a field; static so that an error stays `Copy`.
pub(crate) struct Phrases {
    pub(crate) missing: &'static str,
    pub(crate) duplicate: &'static str,
    pub(crate) malformed: &'static str,
    pub(crate) too_many: &'static str,
    pub(crate) params: &'static str,
}

macro_rules! header_ids {
    ($($variant:ident $name:literal $compact:literal $once:literal;)*) => {
        /// A header field known to this crate, whatever form its name had on the wire; [`Other`](Self::Other) is
        /// every field that is not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum HeaderId {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
            /// A field without a number of its own; its name is in the message.
            Other,
        }

        impl HeaderId {
            /// Every known field, without [`Other`](Self::Other).
            pub const ALL: &'static [HeaderId] = &[$(HeaderId::$variant,)*];

            /// The long name in the spelling of its RFC; empty for [`Other`](Self::Other).
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other => "",
                }
            }

            /// The compact form, where one is registered.
            pub const fn compact(self) -> Option<char> {
                let compact = match self {
                    $(Self::$variant => $compact,)*
                    Self::Other => ' ',
                };
                if compact == ' ' { None } else { Some(compact) }
            }

            /// Whether a message may hold one value of the field only.
            pub const fn stands_once(self) -> bool {
                match self {
                    $(Self::$variant => $once,)*
                    Self::Other => false,
                }
            }

            pub(crate) fn phrases(self) -> &'static Phrases {
                match self {
                    $(Self::$variant => &Phrases {
                        missing: concat!("Missing ", $name, " header field"),
                        duplicate: concat!("Duplicate ", $name, " header field"),
                        malformed: concat!("Malformed ", $name, " header field"),
                        too_many: concat!("Too many ", $name, " values"),
                        params: concat!("Too many parameters in ", $name),
                    },)*
                    Self::Other => &Phrases {
                        missing: "Missing header field",
                        duplicate: "Duplicate header field",
                        malformed: "Malformed header field",
                        too_many: "Too many header field values",
                        params: "Too many parameters",
                    },
                }
            }
        }
    };
}

header_ids! {
    Accept "Accept" ' ' false;
    AcceptContact "Accept-Contact" 'a' false;
    AcceptEncoding "Accept-Encoding" ' ' false;
    AcceptLanguage "Accept-Language" ' ' false;
    AlertInfo "Alert-Info" ' ' false;
    Allow "Allow" ' ' false;
    AllowEvents "Allow-Events" 'u' false;
    AuthenticationInfo "Authentication-Info" ' ' true;
    Authorization "Authorization" ' ' false;
    CallId "Call-ID" 'i' true;
    CallInfo "Call-Info" ' ' false;
    Contact "Contact" 'm' false;
    ContentDisposition "Content-Disposition" ' ' true;
    ContentEncoding "Content-Encoding" 'e' false;
    ContentLanguage "Content-Language" ' ' false;
    ContentLength "Content-Length" 'l' true;
    ContentType "Content-Type" 'c' true;
    ContributionId "Contribution-ID" ' ' true;
    ConversationId "Conversation-ID" ' ' true;
    CSeq "CSeq" ' ' true;
    Date "Date" ' ' true;
    ErrorInfo "Error-Info" ' ' false;
    Event "Event" 'o' true;
    Expires "Expires" ' ' true;
    FlowTimer "Flow-Timer" ' ' true;
    From "From" 'f' true;
    HistoryInfo "History-Info" ' ' false;
    Identity "Identity" 'y' false;
    IdentityInfo "Identity-Info" 'n' true;
    InReplyTo "In-Reply-To" ' ' false;
    InReplyToContributionId "InReplyTo-Contribution-ID" ' ' true;
    Join "Join" ' ' true;
    MaxBreadth "Max-Breadth" ' ' true;
    MaxForwards "Max-Forwards" ' ' true;
    MessageExpires "Message-Expires" ' ' true;
    MimeVersion "MIME-Version" ' ' true;
    MinExpires "Min-Expires" ' ' true;
    MinSe "Min-SE" ' ' true;
    Organization "Organization" ' ' true;
    PAccessNetworkInfo "P-Access-Network-Info" ' ' false;
    PAssertedIdentity "P-Asserted-Identity" ' ' false;
    PAssertedService "P-Asserted-Service" ' ' false;
    PAssociatedUri "P-Associated-URI" ' ' false;
    PCalledPartyId "P-Called-Party-ID" ' ' true;
    PChargingVector "P-Charging-Vector" ' ' true;
    PPreferredIdentity "P-Preferred-Identity" ' ' false;
    PPreferredService "P-Preferred-Service" ' ' false;
    PServedUser "P-Served-User" ' ' true;
    PVisitedNetworkId "P-Visited-Network-ID" ' ' false;
    Path "Path" ' ' false;
    Priority "Priority" ' ' true;
    Privacy "Privacy" ' ' true;
    ProxyAuthenticate "Proxy-Authenticate" ' ' false;
    ProxyAuthenticationInfo "Proxy-Authentication-Info" ' ' true;
    ProxyAuthorization "Proxy-Authorization" ' ' false;
    ProxyRequire "Proxy-Require" ' ' false;
    RAck "RAck" ' ' true;
    Reason "Reason" ' ' false;
    RecordRoute "Record-Route" ' ' false;
    ReferSub "Refer-Sub" ' ' true;
    ReferTo "Refer-To" 'r' true;
    ReferredBy "Referred-By" 'b' true;
    RejectContact "Reject-Contact" 'j' false;
    Replaces "Replaces" ' ' true;
    ReplyTo "Reply-To" ' ' true;
    RequestDisposition "Request-Disposition" 'd' false;
    Require "Require" ' ' false;
    RetryAfter "Retry-After" ' ' true;
    Route "Route" ' ' false;
    RSeq "RSeq" ' ' true;
    SecurityClient "Security-Client" ' ' false;
    SecurityServer "Security-Server" ' ' false;
    SecurityVerify "Security-Verify" ' ' false;
    Server "Server" ' ' true;
    ServiceRoute "Service-Route" ' ' false;
    SessionExpires "Session-Expires" 'x' true;
    SessionReplaces "Session-Replaces" ' ' true;
    SipETag "SIP-ETag" ' ' true;
    SipIfMatch "SIP-If-Match" ' ' true;
    Subject "Subject" 's' true;
    SubscriptionState "Subscription-State" ' ' true;
    Supported "Supported" 'k' false;
    TargetDialog "Target-Dialog" ' ' true;
    Timestamp "Timestamp" ' ' true;
    To "To" 't' true;
    Unsupported "Unsupported" ' ' false;
    UserAgent "User-Agent" ' ' true;
    Via "Via" 'v' false;
    Warning "Warning" ' ' false;
    WwwAuthenticate "WWW-Authenticate" ' ' false;
}

impl fmt::Display for HeaderId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if *self == Self::Other { "header field" } else { self.name() })
    }
}

impl HeaderId {
    /// The number of a field name in long or compact form; names are case-insensitive (RFC 3261 §7.3.1).
    // spec: RFC3261-7.3.1 RFC3261-7.3.3
    pub fn of(name: &str) -> Self {
        Self::of_octets(name.as_bytes())
    }

    pub(crate) fn of_octets(name: &[u8]) -> Self {
        let places = if name.len() == 1 { &COMPACT } else { &LONG };
        let first = place(name);
        // Names that fall on the same place stand behind each other, up to the first free one.
        for step in 0..PLACES {
            let at = first.wrapping_add(step) % PLACES;
            let Some(id) = places.get(at).and_then(|position| Self::ALL.get(usize::from(*position))) else {
                return Self::Other;
            };
            let same = match name {
                [letter] => id.compact() == Some(char::from(letter.to_ascii_lowercase())),
                name => id.name().as_bytes().eq_ignore_ascii_case(name),
            };
            if same {
                return *id;
            }
        }
        Self::Other
    }
}

const PLACES: usize = 256;
const FREE: u8 = u8::MAX;
/// Positions in [`HeaderId::ALL`] by the place of the long name.
static LONG: [u8; PLACES] = places(false);
/// Positions in [`HeaderId::ALL`] by the place of the compact form.
static COMPACT: [u8; PLACES] = places(true);

/// Where a name is looked for: a number made of its length and three of its letters, in any case.
#[allow(clippy::as_conversions, clippy::indexing_slicing, clippy::arithmetic_side_effects)] // within the name
const fn place(name: &[u8]) -> usize {
    let len = name.len();
    if len == 0 {
        return 0;
    }
    let (first, middle, last) = (name[0] | 0x20, name[len / 2] | 0x20, name[len - 1] | 0x20);
    (len % PLACES * 7 + first as usize * 19 + middle as usize * 41 + last as usize) % PLACES
}

#[allow(clippy::as_conversions, clippy::indexing_slicing, clippy::arithmetic_side_effects)] // evaluated at build
const fn places(compact: bool) -> [u8; PLACES] {
    let mut table = [FREE; PLACES];
    let mut position = 0;
    while position < HeaderId::ALL.len() {
        let id = HeaderId::ALL[position];
        let at = match (compact, id.compact()) {
            (false, _) => Some(place(id.name().as_bytes())),
            (true, Some(letter)) => Some(place(&[letter as u8])),
            (true, None) => None,
        };
        if let Some(mut at) = at {
            while table[at] != FREE {
                at = (at + 1) % PLACES;
            }
            table[at] = position as u8;
        }
        position += 1;
    }
    table
}

#[allow(clippy::as_conversions)] // the number of a fieldless enum below 128
impl HeaderId {
    /// One bit for each field in a set of 128.
    pub(crate) const fn bit(self) -> u128 {
        1_u128 << (self as u8)
    }
}

const _: () = assert!(HeaderId::ALL.len() < 128, "field ids are bits of a u128");
