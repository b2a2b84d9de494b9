//! What a component imports and exports, as its author wants to see it after a build.

use wasmparser::{Encoding, Parser, Payload};

use crate::error::EncodeError;

/// Names at the outermost component, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faces {
    /// What it asks of its host.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
}

/// Reads the names. It judges nothing: [`inspect`](crate::inspect) does.
///
/// # Errors
///
/// When the bytes are no component.
pub fn faces(component: &[u8]) -> Result<Faces, EncodeError> {
    let malformed = |error: wasmparser::BinaryReaderError| EncodeError::Module(error.to_string());
    let (mut faces, mut depth) = (Faces::default(), 0_usize);
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(malformed)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(EncodeError::Module("it is a core module, not a component".to_owned()));
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    faces.imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    faces.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(faces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guests::Core;

    #[test]
    fn a_guests_faces() {
        let core = Core::callback("(call $log (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0)");
        let faces = faces(&core.component()).unwrap();
        assert!(faces.imports.iter().any(|name| name.starts_with("reprise:policy/log@")), "{faces:?}");
        assert_eq!(faces.exports.len(), 1);
        assert!(faces.exports[0].starts_with("reprise:policy/callback@"), "{faces:?}");
    }

    #[test]
    fn a_core_module_has_none() {
        assert!(faces(&Core::callback("(i32.const 0)").module()).is_err());
        assert!(faces(b"no wasm").is_err());
    }
}
