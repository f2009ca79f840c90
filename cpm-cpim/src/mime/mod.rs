//! MIME as far as CPM bodies need it: header fields, media types, multipart bodies and transfer encodings
//! (RFC 2045, RFC 2046, RFC 2183).

mod content_type;
mod headers;
mod multipart;
mod transfer;

pub use content_type::{ContentType, Disposition};
pub use headers::MimeHeaders;
pub(crate) use multipart::write_field;
pub use multipart::{MultipartBuilder, Part, Parts, leaves};
pub use transfer::{TransferEncoding, decode_base64, decode_quoted_printable};

#[cfg(test)]
mod tests;
