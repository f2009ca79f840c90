//! Bodies of the fuzz targets as plain functions, so that corpora replay under cargo test.
