//! Whole lives by hand. Each check puts one input and a time to the journal so far and compares all that
//! follows: the records in words, the events they tell, the work that should be running then and the time to
//! wake. The laws are properties in `tests/laws.rs`.

mod composing;
mod corrupt;
mod flow;
mod inputs;
mod processing;
mod publishing;
mod recording;
mod requests;
