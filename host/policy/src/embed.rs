//! What a policy carries beside its code: the schema of its settings and its assets. They are custom sections at the
//! end of the outermost component, so that the digest and a signature cover them and a version never changes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wasm_encoder::{ComponentSection as _, CustomSection};

use crate::error::EmbedError;
use crate::inspect::{
    ASSET_SECTION_PREFIX, MAX_ASSETS, MAX_ASSETS_BYTES, MAX_SCHEMA_BYTES, SCHEMA_SECTION, asset_path_problem,
};

/// Puts the schema and the assets at the end of a component.
///
/// # Errors
///
/// When one of them is out of bounds; the error says which, and how much is allowed.
pub fn embed(
    mut component: Vec<u8>,
    schema: Option<&str>,
    assets: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<u8>, EmbedError> {
    if let Some(schema) = schema {
        if schema.len() > MAX_SCHEMA_BYTES {
            return Err(EmbedError::SchemaTooLarge { size_bytes: schema.len(), limit_bytes: MAX_SCHEMA_BYTES });
        }
        append(&mut component, SCHEMA_SECTION, schema.as_bytes());
    }
    if assets.len() > MAX_ASSETS {
        return Err(EmbedError::TooManyAssets { files: assets.len(), limit: MAX_ASSETS });
    }
    let size_bytes: usize = assets.values().map(Vec::len).sum();
    if size_bytes > MAX_ASSETS_BYTES {
        return Err(EmbedError::AssetsTooLarge { size_bytes, limit_bytes: MAX_ASSETS_BYTES });
    }
    for (path, bytes) in assets {
        if let Some(problem) = asset_path_problem(path) {
            return Err(EmbedError::AssetPath { path: path.clone(), problem });
        }
        append(&mut component, &format!("{ASSET_SECTION_PREFIX}{path}"), bytes);
    }
    Ok(component)
}

fn append(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    CustomSection { name: Cow::Borrowed(name), data: Cow::Borrowed(data) }.append_to_component(component);
}

#[cfg(test)]
mod tests {
    use wasmparser::{Parser, Payload};

    use super::*;
    use crate::guests::Core;

    #[test]
    fn sections_follow_the_component_and_leave_it_as_it_was() {
        let component = Core::template_group("(i32.const 0)").component();
        let assets = BTreeMap::from([("a/b.json".to_owned(), b"{}".to_vec()), ("z".to_owned(), vec![0, 255])]);
        let embedded = embed(component.clone(), Some(r#"{"type":"object"}"#), &assets).unwrap();
        assert!(embedded.starts_with(&component));
        wasmparser::Validator::new().validate_all(&embedded).unwrap();
        let ours: Vec<(String, Vec<u8>)> = Parser::new(0)
            .parse_all(&embedded[..])
            .filter_map(|payload| match payload.unwrap() {
                Payload::CustomSection(section) if section.name().starts_with("reprise:") => {
                    Some((section.name().to_owned(), section.data().to_vec()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            ours,
            [
                (SCHEMA_SECTION.to_owned(), br#"{"type":"object"}"#.to_vec()),
                ("reprise:asset:a/b.json".to_owned(), b"{}".to_vec()),
                ("reprise:asset:z".to_owned(), vec![0, 255]),
            ]
        );
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        let asset = |path: &str, bytes| BTreeMap::from([(path.to_owned(), vec![0; bytes])]);
        let many = (0..65).map(|number| (number.to_string(), Vec::new())).collect();
        for (schema, assets, part) in [
            (" ".repeat(MAX_SCHEMA_BYTES + 1), BTreeMap::new(), "65537 bytes"),
            (String::new(), asset("a", MAX_ASSETS_BYTES + 1), "1048577 bytes"),
            (String::new(), asset("../a", 0), "\"../a\": a path is relative"),
            (String::new(), asset(&"a".repeat(129), 0), "1 to 128 bytes"),
            (String::new(), asset("a\\b", 0), "no backslashes"),
            (String::new(), asset(&["a"; 17].join("/"), 0), "at most 16 parts"),
            (String::new(), many, "65 files"),
        ] {
            let error = embed(Vec::new(), Some(&schema), &assets).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn paths() {
        for good in ["a", "a/b.json", "ü/..a", "a b"] {
            assert_eq!(asset_path_problem(good), None, "{good}");
        }
        for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\b", "a\nb", "a\0", &"a".repeat(129)] {
            assert!(asset_path_problem(bad).is_some(), "{bad}");
        }
    }
}
