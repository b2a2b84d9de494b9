//! What the fuzz targets run. The module is also compiled into the crate's tests, which replay the corpus.

pub mod targets;
