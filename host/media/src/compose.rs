//! Stretches of parts into one file, without encoding.
//!
//! [`select`] finds the fragments of a part that cover a stretch, from keyframe to keyframe. [`assemble()`] puts such
//! runs of fragments behind one another on one timeline: an init block and a list of byte copies, which whoever holds
//! the files carries out. The result is a part file like any other: it scans, it has an index, it plays from byte
//! ranges. [`repack()`] makes a file of that kind out of single samples, for the few stretches that are not whole
//! fragments, or whose samples came out of an encoder. [`join`] makes one codec configuration out of two.
//!
//! It knows neither files nor encoders nor what is to be composed.

mod assemble;
mod join;
mod repack;
mod select;

pub use assemble::{Assembly, Base, Op, Run, assemble};
pub use join::{free_parameter_set_id, join};
pub use repack::repack;
pub use select::{EXACT_MS, Selection, select};

#[cfg(test)]
mod tests;
