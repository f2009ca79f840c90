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
        Self::at(name, 0, name.len())
    }

    /// The number of the name that lies in `octets` from `at`: one probe into a table that has no collisions, and
    /// one comparison, eight octets in a step.
    #[inline]
    pub(crate) fn at(octets: &[u8], at: usize, len: usize) -> Self {
        let name = octets.get(at..at.saturating_add(len)).unwrap_or(&[]);
        let (Some(first), Some(last), Ok(short)) = (name.first(), name.last(), u8::try_from(len)) else {
            return Self::Other;
        };
        if len == 1 {
            let letter = usize::from((first | 0x20).wrapping_sub(b'a'));
            let id = COMPACT.get(letter).copied().unwrap_or(Self::Other);
            return if first.is_ascii_alphabetic() { id } else { Self::Other };
        }
        let middle = name.get(usize::from(short >> 1)).copied().unwrap_or(0);
        let Some(entry) = LONG.get(usize::from(slot(*first, middle, *last, short))) else {
            return Self::Other;
        };
        if entry.len == short && entry.is_name(octets, at, len) { entry.id } else { Self::Other }
    }
}

/// A long name in lower case, as words for comparison.
#[derive(Clone, Copy)]
struct Entry {
    id: HeaderId,
    len: u8,
    /// Of the first eight octets, the second, and so on; zero behind the end.
    words: [u64; 4],
}

/// Bit 6 of every octet: set in letters, clear in digits and the hyphen.
const LETTERS: u64 = u64::from_ne_bytes([0x40; 8]);

impl Entry {
    const NONE: Self = Self { id: HeaderId::Other, len: 0, words: [0; 4] };

    #[inline]
    fn is_name(&self, octets: &[u8], at: usize, len: usize) -> bool {
        let mut from = at;
        let mut left = len;
        for word in self.words {
            if left == 0 {
                return true;
            }
            // Letters match in both cases, everything else exactly.
            if load(octets, from, left) | ((word & LETTERS) >> 1) != word {
                return false;
            }
            from = from.saturating_add(8);
            left = left.saturating_sub(8);
        }
        left == 0
    }
}

/// Up to eight octets as a word, zero behind the end of the name.
#[inline]
fn load(octets: &[u8], from: usize, len: usize) -> u64 {
    let rest = octets.get(from..).unwrap_or(&[]);
    let word = match rest.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => rest.iter().rev().fold(0, |word, octet| (word << 8) | u64::from(*octet)),
    };
    const ENDS: [u64; 8] = [
        u64::MAX,
        0xFF,
        0xFFFF,
        0xFF_FFFF,
        0xFFFF_FFFF,
        0xFF_FFFF_FFFF,
        0xFFFF_FFFF_FFFF,
        0xFF_FFFF_FFFF_FFFF,
    ];
    if len >= 8 { word } else { word & ENDS.get(len).copied().unwrap_or(0) }
}

/// Where a long name lies in [`LONG`], whatever the case of its letters. The factor was searched for; a new name that
/// collides with another fails to compile and needs another one.
const fn slot(first: u8, middle: u8, last: u8, len: u8) -> u16 {
    let key = u32::from_le_bytes([first | 0x20, last | 0x20, middle | 0x20, len]);
    let [_, _, low, high] = key.wrapping_mul(0xCAED_E357).to_le_bytes();
    u16::from_le_bytes([low, high]) >> 7
}

static LONG: [Entry; 512] = long_table();
static COMPACT: [HeaderId; 26] = compact_table();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)] // evaluated by the compiler
const fn long_table() -> [Entry; 512] {
    let mut table = [Entry::NONE; 512];
    let mut at = 0;
    while at < HeaderId::ALL.len() {
        let id = HeaderId::ALL[at];
        let name = id.name().as_bytes();
        let slot = slot(name[0], name[name.len() / 2], name[name.len() - 1], name.len() as u8) as usize;
        assert!(table[slot].len == 0, "two field names share a slot: choose another factor");
        let mut words = [0; 4];
        let mut octet = 0;
        while octet < name.len() {
            words[octet / 8] |= (name[octet].to_ascii_lowercase() as u64) << (8 * (octet % 8));
            octet += 1;
        }
        table[slot] = Entry { id, len: name.len() as u8, words };
        at += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)] // evaluated by the compiler
const fn compact_table() -> [HeaderId; 26] {
    let mut table = [HeaderId::Other; 26];
    let mut at = 0;
    while at < HeaderId::ALL.len() {
        if let Some(letter) = HeaderId::ALL[at].compact() {
            table[letter as usize - 'a' as usize] = HeaderId::ALL[at];
        }
        at += 1;
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
