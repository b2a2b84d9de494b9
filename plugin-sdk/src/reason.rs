//! Why an answer came out as it did, in words for the tenant.

use std::cell::RefCell;

thread_local! {
    /// A component has one thread and one call; natively each test has its own thread.
    static REASON: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Says why the answer comes out as it does: a sentence that is recorded with the decision and shown to the tenant. Said
/// again, the last one counts; of an answer that is an error, the error says it. At most 1,024 bytes are kept.
///
/// ```
/// # use reprise_plugin::{ComposeAnswer, ComposeQuestion, Error, Policy, reason};
/// # #[derive(serde::Deserialize)]
/// # struct MyPolicy {}
/// # impl Policy for MyPolicy {
/// fn compose_rules(&self, question: &ComposeQuestion) -> Result<ComposeAnswer, Error> {
///     if question.parts.len() < 2 {
///         reason("a broadcast of one part is whole already");
///         return Ok(ComposeAnswer::Skip);
///     }
///     Ok(ComposeAnswer::UseDefault)
/// }
/// # }
/// ```
pub fn reason(text: impl Into<String>) {
    REASON.set(Some(text.into()));
}

/// The reason of the call that ends here.
pub(crate) fn take() -> Option<String> {
    REASON.take()
}
