//! What a policy carries beside its code: `settings.schema.json` and the files below `assets`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use reprise_policy::{MAX_ASSETS, MAX_ASSETS_BYTES, schema::validate};
use serde_json::Value;

const SCHEMA: &str = "settings.schema.json";
const ASSETS: &str = "assets";

/// Puts them into the component, if there are any.
pub(super) fn embed(folder: &Path, component: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let schema = schema(folder)?;
    let mut assets = BTreeMap::new();
    if folder.join(ASSETS).is_dir() {
        gather(&folder.join(ASSETS), "", &mut assets)?;
    }
    if !assets.is_empty() {
        eprintln!("assets   {}", assets.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    }
    Ok(reprise_policy::embed(component, schema.as_deref(), &assets)?)
}

fn schema(folder: &Path) -> anyhow::Result<Option<String>> {
    let path = folder.join(SCHEMA);
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let schema: Value = serde_json::from_str(&text).with_context(|| format!("{SCHEMA} is not JSON"))?;
    // Spaces between the fields are for people; the component need not carry them.
    let schema = schema.to_string();
    validate(&schema).map_err(|why| anyhow::anyhow!("{SCHEMA} is no JSON Schema: {why}"))?;
    Ok(Some(schema))
}

/// All files below a folder by their path in it. Hidden ones are of tools and editors, not of the policy.
fn gather(folder: &Path, prefix: &str, assets: &mut BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    let reading = || format!("cannot read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { bail!("{prefix}{} in assets is no UTF-8", name.display()) };
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().with_context(reading)?;
        if kind.is_dir() {
            gather(&entry.path(), &format!("{path}/"), assets)?;
            continue;
        }
        ensure!(kind.is_file(), "assets/{path} is a link or a device; a policy carries plain files");
        let size_bytes = entry.metadata().with_context(reading)?.len();
        // Said before a huge file or a forest of them is read; the exact sums follow.
        ensure!(
            size_bytes <= MAX_ASSETS_BYTES as u64,
            "assets/{path} has {size_bytes} bytes; at most {MAX_ASSETS_BYTES}"
        );
        ensure!(assets.len() < MAX_ASSETS, "assets has more than {MAX_ASSETS} files");
        assets.insert(path, std::fs::read(entry.path()).with_context(reading)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The eight bytes that every component begins with: an empty one.
    const EMPTY: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    #[test]
    fn files_are_named_by_their_path_in_assets() {
        let folder = tempfile::tempdir().unwrap();
        let assets = folder.path().join(ASSETS);
        std::fs::create_dir_all(assets.join("rules/2026")).unwrap();
        for file in ["z.txt", "rules/2026/cup.json", "rules/.swp"] {
            std::fs::write(assets.join(file), file).unwrap();
        }
        let mut found = BTreeMap::new();
        gather(&assets, "", &mut found).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["rules/2026/cup.json", "z.txt"]);

        std::os::unix::fs::symlink("/etc/hostname", assets.join("link")).unwrap();
        assert!(embed(folder.path(), EMPTY.to_vec()).unwrap_err().to_string().contains("assets/link is a link"));
    }

    #[test]
    fn a_schema_is_json_and_a_folder_without_anything_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(embed(folder.path(), EMPTY.to_vec()).unwrap(), EMPTY);
        std::fs::write(folder.path().join(SCHEMA), "{ \"type\": \"object\" }\n").unwrap();
        assert!(embed(folder.path(), EMPTY.to_vec()).unwrap().ends_with(br#"{"type":"object"}"#));
        for (text, part) in [
            ("{", "is not JSON"),
            ("[]", "no JSON Schema"),
            (r#"{"type": "objekt"}"#, "no JSON Schema: at `/type`"),
            (r##"{"$ref": "#/nowhere"}"##, "nowhere"),
        ] {
            std::fs::write(folder.path().join(SCHEMA), text).unwrap();
            let error = format!("{:#}", embed(folder.path(), EMPTY.to_vec()).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
