//! Header field values.
