//! Character classes of RFC 3261 §25.1, one bit each in a table of 256.

/// `token`.
pub(crate) const TOKEN: u16 = 1;
/// `user`, without `%`.
pub(crate) const USER: u16 = 1 << 1;
/// `password`, without `%`.
pub(crate) const PASSWORD: u16 = 1 << 2;
/// `paramchar` of a URI, without `%`.
pub(crate) const PARAM_CHAR: u16 = 1 << 3;
/// `hname` and `hvalue` of a URI, without `%`.
pub(crate) const HEADER_CHAR: u16 = 1 << 4;
/// Host names.
pub(crate) const HOST: u16 = 1 << 5;
/// `word`, of which a Call-ID consists.
pub(crate) const WORD: u16 = 1 << 6;
/// What stands for itself in a quoted string: neither quote, backslash nor control octet.
pub(crate) const QUOTED_TEXT: u16 = 1 << 8;
/// What may stand in any URI (RFC 3986 §2), `%` included.
pub(crate) const URI_CHAR: u16 = 1 << 7;

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)] // evaluated by the compiler
const fn with(mut table: [u16; 256], members: &[u8], class: u16) -> [u16; 256] {
    let mut at = 0;
    while at < members.len() {
        table[members[at] as usize] |= class;
        at += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)] // evaluated by the compiler
const fn build() -> [u16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 128 {
        if (octet as u8).is_ascii_alphanumeric() {
            table[octet] = TOKEN | USER | PASSWORD | PARAM_CHAR | HEADER_CHAR | HOST | WORD | URI_CHAR;
        }
        octet += 1;
    }
    let mut octet = 0;
    while octet < 256 {
        if octet == 9 || (octet >= 32 && octet != 127 && octet != b'"' as usize && octet != b'\\' as usize) {
            table[octet] |= QUOTED_TEXT;
        }
        octet += 1;
    }
    let mark = b"-_.!~*'()";
    table = with(table, b"-.!%*_+`'~", TOKEN);
    table = with(table, mark, USER | PASSWORD | PARAM_CHAR | HEADER_CHAR);
    table = with(table, b"&=+$,;?/", USER);
    table = with(table, b"&=+$,", PASSWORD);
    table = with(table, b"[]/:&+$", PARAM_CHAR);
    table = with(table, b"[]/?:+$", HEADER_CHAR);
    table = with(table, b"-.", HOST);
    table = with(table, b"-.!%*_+`'~()<>:\\\"/[]?{}", WORD);
    with(table, b"-._~:/?#[]@!$&'()*+,;=%", URI_CHAR)
}

static TABLE: [u16; 256] = build();

/// Whether `octet` is in one of the classes.
pub(crate) fn is(octet: u8, classes: u16) -> bool {
    TABLE.get(usize::from(octet)).is_some_and(|of| of & classes != 0)
}

/// Whether the whole of `text` is a token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| is(octet, TOKEN))
}
