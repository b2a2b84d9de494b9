//! What a component carries beside code: a schema for its settings, and assets.

use wasm_encoder::{CustomSection, Encode, Section};

use crate::guest::Guest;
use crate::{Fate, Specimen, specimen};

const SCHEMA: &str = "reprise:settings-schema";

pub(crate) fn all() -> Vec<Specimen> {
    let asset = |path: &str, bytes: usize| (format!("reprise:asset:{path}"), vec![b'x'; bytes]);
    let schema = |text: &str| vec![(SCHEMA.to_owned(), text.as_bytes().to_vec())];
    let cases = [
        ("a schema that is no JSON", schema("{")),
        ("a schema that is no UTF-8", vec![(SCHEMA.to_owned(), vec![0xff, 0xfe])]),
        ("a schema that is none", schema(r#"{"type": 7}"#)),
        ("two schemas", [schema("{}"), schema("{}")].concat()),
        ("a schema of a megabyte", schema(&format!(r#"{{"title":"{}"}}"#, "x".repeat(1_000_000)))),
        ("a schema on the network", schema(r#"{"$ref":"http://169.254.169.254/latest/meta-data"}"#)),
        ("a schema in a file", schema(r#"{"$ref":"file:///etc/passwd"}"#)),
        ("a schema of brackets", schema(&format!("{}{}", r#"{"not":"#.repeat(5_000), "}".repeat(5_000)))),
        ("an asset above its folder", vec![asset("../admin-token", 3)]),
        ("an asset in the middle above its folder", vec![asset("a/../../b", 3)]),
        ("an asset at the root", vec![asset("/etc/cron.d/evil", 3)]),
        ("an asset without a name", vec![asset("", 3)]),
        ("an asset with an empty step", vec![asset("a//b", 3)]),
        ("an asset with a step that is a point", vec![asset("./a", 3)]),
        ("an asset with a null in its name", vec![asset("a\0b", 3)]),
        ("an asset of another system's path", vec![asset("..\\..\\evil", 3)]),
        ("an asset with a long name", vec![asset(&"x".repeat(300), 3)]),
        ("two assets of one name", vec![asset("a", 3), asset("a", 4)]),
        ("an asset that is a folder of another", vec![asset("a", 3), asset("a/b", 3)]),
        ("a thousand assets", (0..1_000).map(|n| asset(&n.to_string(), 1)).collect()),
        ("assets of eight megabytes", vec![asset("a", 4 << 20), asset("b", 4 << 20)]),
    ];
    cases.map(|(name, sections)| specimen(name, with(&sections), Fate::Refused)).to_vec()
}

/// A good policy that carries these sections.
fn with(sections: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut component = Guest::doing("").component();
    for (name, data) in sections {
        let section = CustomSection { name: name.as_str().into(), data: data.as_slice().into() };
        component.push(section.id());
        section.encode(&mut component);
    }
    component
}
