//! A whole life by hand; the laws are properties in `tests/laws.rs`.
