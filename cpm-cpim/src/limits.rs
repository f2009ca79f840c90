//! What a reader accepts at most (architecture §14).

/// Bounds of every reader in this crate, and the one switch for tolerant reading of CPIM.
///
/// A bound is inclusive: a message with exactly so many is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Headers of a CPIM message, MIME headers of its payload included; more than
    /// [`MAX_HEADERS`](crate::cpim::MAX_HEADERS) has no effect.
    pub headers: usize,
    /// Bytes of both header groups of a CPIM message, or of one MIME header block; more than 65 535 has no effect.
    pub header_bytes: usize,
    /// Bytes of a whole CPIM message or multipart body.
    pub message_bytes: usize,
    /// Parameters of one MIME header field.
    pub parameters: usize,
    /// How deep multipart bodies may be nested; 1 is a multipart without another inside.
    pub mime_depth: usize,
    /// Parts of all levels of a multipart body together.
    pub mime_parts: usize,
    /// Element nesting of an XML document.
    pub xml_depth: usize,
    /// Attributes of one XML element, namespace declarations included.
    pub xml_attributes: usize,
    /// Bytes of an XML document.
    pub xml_bytes: usize,
    /// Also read CPIM with bare LF ends, folded lines, a missing space after the colon, header names in the
    /// wrong case or with an undeclared prefix (CONV-BODY-015). Off by default.
    pub lenient: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: 64,
            header_bytes: 8 * 1024,
            message_bytes: 256 * 1024,
            parameters: 32,
            mime_depth: 8,
            mime_parts: 64,
            xml_depth: 32,
            xml_attributes: 64,
            xml_bytes: 256 * 1024,
            lenient: false,
        }
    }
}
