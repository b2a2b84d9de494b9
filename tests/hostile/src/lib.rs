//! A zoo of hostile components: everything that a tenant could upload to hurt the host or other tenants, each with what
//! must become of it. They are generated, so that each says what it does in a few lines.
//!
//! [`zoo`] is the list, [`too_much_to_compile`] a part of it. Who runs it, against which boundary, is not known here.

mod answers;
mod bombs;
mod calls;
mod guest;
mod loops;
mod malformed;
mod memory;
mod sections;
mod wasi;

use reprise_lifecycle::decision::FailureKind;
use reprise_lifecycle::question::Hook;

/// One hostile component.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// What it does.
    pub name: String,
    /// The hook it is asked at, if it gets that far.
    pub hook: Hook,
    /// The component.
    pub bytes: Vec<u8>,
    /// What must become of it.
    pub fate: Fate,
}

/// What must become of a hostile component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not accepted.
    Refused,
    /// It is accepted, and every call fails with one of these.
    Fails(&'static [FailureKind]),
    /// It is accepted and answers the default: it looked for something that it must not find.
    FindsNothing,
}

/// All of them.
pub fn zoo() -> Vec<Specimen> {
    [
        loops::all(),
        memory::all(),
        answers::all(),
        calls::all(),
        wasi::all(),
        bombs::all(),
        malformed::all(),
        sections::all(),
    ]
    .concat()
}

/// Those of the zoo that are valid and small, and end every compiler that has a limit: the families that were measured.
pub fn too_much_to_compile() -> Vec<Specimen> {
    bombs::too_much_to_compile()
}

/// A specimen at the hook `template-group`.
fn specimen(name: &str, bytes: Vec<u8>, fate: Fate) -> Specimen {
    Specimen { name: name.to_owned(), hook: Hook::TemplateGroup, bytes, fate }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_many_and_no_two_are_the_same() {
        let zoo = zoo();
        assert!(zoo.len() >= 100, "{}", zoo.len());
        assert_eq!(zoo.iter().map(|one| &one.name).collect::<BTreeSet<_>>().len(), zoo.len());
        assert_eq!(zoo.iter().map(|one| &one.bytes).collect::<BTreeSet<_>>().len(), zoo.len());
        let twice = self::zoo();
        assert!(zoo.iter().zip(&twice).all(|(a, b)| a.bytes == b.bytes), "the same every time");
    }
}
