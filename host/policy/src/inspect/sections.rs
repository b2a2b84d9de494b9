//! What a component carries beside its code: custom sections of the outermost component, which the digest and a
//! signature cover. Nothing of them is copied here, only where they are.

use std::ops::Range;

use wasmparser::CustomSectionReader;

use crate::error::Refused;

/// The section with the JSON Schema of the settings.
pub const SCHEMA_SECTION: &str = "reprise:settings-schema";

/// What the name of a section with an asset begins with; the rest is the asset's path.
pub const ASSET_SECTION_PREFIX: &str = "reprise:asset:";

/// Names that are ours. One that we do not know is a mistake or of a later server, and not to be passed over.
const OURS: &str = "reprise:";

/// Bytes of a schema: it is read for every change of settings.
pub const MAX_SCHEMA_BYTES: usize = 64 << 10;

/// Assets of one component: each is a file that the server unpacks.
pub const MAX_ASSETS: usize = 64;

/// Bytes of all assets of one component together. They do not count as code, so they need a limit of their own.
pub const MAX_ASSETS_BYTES: usize = 1 << 20;

/// Bytes of an asset's path.
pub const MAX_ASSET_PATH_BYTES: usize = 128;

/// Parts of an asset's path: each but the last is a folder that the server makes and walks through.
pub const MAX_ASSET_PATH_PARTS: usize = 16;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) schema: Option<String>,
    pub(super) assets: Vec<(String, Range<usize>)>,
    /// Bytes of the component that are schema or assets, and so no code.
    pub(super) carried_bytes: usize,
    assets_bytes: usize,
}

impl Sections {
    /// Looks at a custom section of the outermost component.
    pub(super) fn add(&mut self, section: &CustomSectionReader<'_>) -> Result<(), Refused> {
        let (name, data) = (section.name(), section.data());
        if name == SCHEMA_SECTION {
            self.schema(data)?;
        } else if let Some(path) = name.strip_prefix(ASSET_SECTION_PREFIX) {
            self.asset(path, section.data_offset(), data.len())?;
        } else if name.starts_with(OURS) {
            return Err(Refused::Section(super::shorten(name)));
        } else {
            return Ok(());
        }
        self.carried_bytes += whole(section.range().len());
        Ok(())
    }

    fn schema(&mut self, data: &[u8]) -> Result<(), Refused> {
        if self.schema.is_some() {
            return Err(Refused::Schema("there is more than one"));
        }
        if data.len() > MAX_SCHEMA_BYTES {
            return Err(Refused::Schema("it has more than 64 KiB"));
        }
        let text = std::str::from_utf8(data).map_err(|_| Refused::Schema("it is not UTF-8"))?;
        self.schema = Some(text.to_owned());
        Ok(())
    }

    fn asset(&mut self, path: &str, offset: usize, length: usize) -> Result<(), Refused> {
        let refuse = |problem| Err(Refused::Asset { path: super::shorten(path), problem });
        if let Some(problem) = asset_path_problem(path) {
            return refuse(problem);
        }
        if self.assets.len() >= MAX_ASSETS {
            return refuse("there are more than 64 assets: put several into one file");
        }
        self.assets_bytes = self.assets_bytes.saturating_add(length);
        if self.assets_bytes > MAX_ASSETS_BYTES {
            return refuse("with it the assets have more than 1 MiB: leave out what the policy does not read");
        }
        for (other, _) in &self.assets {
            if other == path {
                return refuse("there is another asset of that path");
            }
            // One cannot be a file and the other's folder.
            if is_below(other, path) || is_below(path, other) {
                return refuse("another asset's path has it as a folder, or the other way round");
            }
        }
        self.assets.push((path.to_owned(), offset..offset + length));
        Ok(())
    }
}

/// Bytes of a section with contents of this length: its kind and its length, as short as it can be said, come first.
fn whole(contents: usize) -> usize {
    let mut length_bytes = 1;
    let mut rest = contents >> 7;
    while rest > 0 {
        length_bytes += 1;
        rest >>= 7;
    }
    1 + length_bytes + contents
}

/// What is wrong with an asset's path, if anything: the server makes a file of that name, on whatever file system.
pub(crate) fn asset_path_problem(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.len() > MAX_ASSET_PATH_BYTES {
        return Some("a path has 1 to 128 bytes");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Some("a path has no control characters and no backslashes");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("a path is relative, and its parts are neither empty nor `.` nor `..`");
    }
    if path.split('/').count() > MAX_ASSET_PATH_PARTS {
        return Some("a path has at most 16 parts");
    }
    None
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guests::Core;
    use crate::inspect::{AdmissionLimits, Inspection, inspect};

    /// Name and data.
    type Section<'a> = (&'a str, &'a [u8]);

    /// A good policy with sections behind it.
    fn with(sections: &[Section<'_>]) -> Vec<u8> {
        let mut component = Core::template_group("(i32.const 0)").component();
        for (name, data) in sections {
            append(&mut component, name, data);
        }
        component
    }

    fn append(component: &mut Vec<u8>, name: &str, data: &[u8]) {
        use wasm_encoder::Encode;
        let section = wasm_encoder::CustomSection { name: name.into(), data: data.into() };
        component.push(0);
        section.encode(component);
    }

    fn judge(component: &[u8]) -> Result<Inspection, Refused> {
        inspect(component, &AdmissionLimits::standard())
    }

    #[test]
    fn schema_and_assets_are_found_where_they_are() {
        let component =
            with(&[("reprise:settings-schema", b"{}"), ("other", b"x"), ("reprise:asset:rules/cup.json", b"[1]")]);
        let inspection = judge(&component).unwrap();
        assert_eq!(inspection.schema.as_deref(), Some("{}"));
        let [(path, range)] = inspection.assets.as_slice() else { panic!("{:?}", inspection.assets) };
        assert_eq!((path.as_str(), &component[range.clone()]), ("rules/cup.json", b"[1]".as_slice()));
        assert_eq!(inspection.digest, crate::artefact::digest(&component));
    }

    #[test]
    fn what_is_carried_is_not_code() {
        let code = with(&[]).len();
        let limits = AdmissionLimits { size_bytes: code, ..AdmissionLimits::standard() };
        let carried = with(&[("reprise:settings-schema", &[b' '; 1000]), ("reprise:asset:a", &[0; 5000])]);
        assert!(inspect(&carried, &limits).is_ok());
        let padded = with(&[("padding", &[0; 5000])]);
        assert!(matches!(inspect(&padded, &limits), Err(Refused::TooLarge { .. })));
    }

    #[test]
    fn what_is_carried_is_bounded() {
        let long = format!("reprise:asset:{}", "a".repeat(MAX_ASSET_PATH_BYTES + 1));
        let large = vec![0; MAX_ASSETS_BYTES];
        let names: Vec<String> = (0..=MAX_ASSETS).map(|n| format!("reprise:asset:{n}")).collect();
        let many: Vec<Section<'_>> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
        let cases: [(&[Section<'_>], &str); 19] = [
            (&[("reprise:asset:", b"")], "1 to 128 bytes"),
            (&[(&long, b"")], "1 to 128 bytes"),
            (&[("reprise:asset:a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", b"")], "16 parts"),
            (&[("reprise:asset:/etc/passwd", b"")], "relative"),
            (&[("reprise:asset:..", b"")], "relative"),
            (&[("reprise:asset:a/../b", b"")], "relative"),
            (&[("reprise:asset:a//b", b"")], "relative"),
            (&[("reprise:asset:a/", b"")], "relative"),
            (&[("reprise:asset:./a", b"")], "relative"),
            (&[("reprise:asset:a\0b", b"")], "control characters"),
            (&[("reprise:asset:a\\b", b"")], "backslashes"),
            (&[("reprise:asset:a", b""), ("reprise:asset:a", b"")], "another asset of that path"),
            (&[("reprise:asset:a/b", b""), ("reprise:asset:a", b"")], "as a folder"),
            (&[("reprise:asset:a", b""), ("reprise:asset:b", &large), ("reprise:asset:c", b"x")], "more than 1 MiB"),
            (&many, "more than 64 assets"),
            (&[("reprise:settings-schema", b"{}"), ("reprise:settings-schema", b"{}")], "more than one"),
            (&[("reprise:settings-schema", &large)], "more than 64 KiB"),
            (&[("reprise:settings-schema", b"\xff")], "not UTF-8"),
            (&[("reprise:assets:a", b"")], "`reprise:assets:a`, which this server does not know"),
        ];
        for (sections, part) in cases {
            let message = judge(&with(sections)).expect_err(part).to_string();
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(judge(&with(&many[..MAX_ASSETS])).is_ok());
        assert!(judge(&with(&[("reprise:asset:a", &large)])).is_ok());
        assert!(judge(&with(&[("reprise:asset:a.b/..c/d", b"")])).is_ok());
    }

    #[test]
    fn only_the_outermost_component_carries_anything() {
        let mut module = wat::parse_str("(module)").unwrap();
        append(&mut module, "reprise:asset:../x", b"x");
        let mut component = Core::template_group("(i32.const 0)").component();
        // A section with a core module.
        component.push(1);
        wasm_encoder::Encode::encode(module.as_slice(), &mut component);
        assert_eq!(judge(&component).unwrap().assets, []);
    }
}
