//! Signing keys and signatures. Making a key and signing with it need no server: a private key never leaves its file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, KeypairBytes};
use ed25519_dalek::{Signer, SigningKey};
use http::Method;
use serde_json::{Value, json};

use crate::client::Rest;
use crate::client::rest::segment;

/// Only the owner may read a key.
const KEY_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;

#[derive(Debug, Subcommand)]
pub(super) enum Signing {
    /// Make a signing key: FILE is to be kept secret, FILE.pub is for `plugin key add`
    Keygen {
        /// Where the private key goes (PKCS#8 PEM)
        file: PathBuf,
    },
    /// Sign a component: writes COMPONENT.sig
    Sign {
        /// The component
        component: PathBuf,
        /// The private key (PKCS#8 PEM), made by `plugin keygen` or openssl
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Add, list and revoke a tenant's signing keys
    Key {
        #[command(subcommand)]
        command: Key,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Add a public key
    Add {
        /// What to call it
        name: String,
        /// The public key: FILE.pub of `plugin keygen`
        file: PathBuf,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// List the keys, revoked ones too
    List {
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
    /// Revoke a key; what it signed stays
    Remove {
        /// Its name
        name: String,
        /// The tenant
        #[arg(long)]
        tenant: String,
    },
}

impl Signing {
    /// Does what needs no server; `None` if this does.
    pub(super) fn local(&self) -> anyhow::Result<Option<Value>> {
        match self {
            Self::Keygen { file } => keygen(file).map(Some),
            Self::Sign { component, key } => {
                let bytes = std::fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
                let signature = sign(key, &bytes)?;
                let file = beside(component, "sig");
                std::fs::write(&file, format!("{signature}\n"))
                    .with_context(|| format!("cannot write {}", file.display()))?;
                Ok(Some(json!({"signature": signature, "file": file.display().to_string()})))
            }
            Self::Key { .. } => Ok(None),
        }
    }

    pub(super) async fn ask(&self, api: &Rest) -> anyhow::Result<Value> {
        let Self::Key { command } = self else { return Ok(Value::Null) };
        match command {
            Key::Add { name, file, tenant } => {
                let key = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                let body = json!({"public_key": key});
                api.call(Method::PUT, &path(tenant, Some(name))?, Some(&body)).await
            }
            Key::List { tenant } => api.call(Method::GET, &path(tenant, None)?, None).await,
            Key::Remove { name, tenant } => {
                api.call(Method::DELETE, &path(tenant, Some(name))?, None).await?;
                Ok(json!({"revoked": name}))
            }
        }
    }
}

/// The signature of a component by the private key in a file, in base64.
pub(super) fn sign(key: &Path, component: &[u8]) -> anyhow::Result<String> {
    let pem = std::fs::read_to_string(key).with_context(|| format!("cannot read {}", key.display()))?;
    let key = SigningKey::from_pkcs8_pem(&pem)
        .with_context(|| format!("{} is no ed25519 private key in PKCS#8 PEM", key.display()))?;
    Ok(STANDARD.encode(key.sign(component).to_bytes()))
}

fn keygen(file: &Path) -> anyhow::Result<Value> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let key = SigningKey::from_bytes(&secret);
    // The form without the public key: older versions of openssl read no other.
    let pair = KeypairBytes { secret_key: secret, public_key: None };
    let private = pair.to_pkcs8_pem(LineEnding::LF).context("the key cannot be written as PEM")?;
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).context("the key cannot be written as PEM")?;
    let public_file = beside(file, "pub");
    write_new(file, private.as_bytes(), KEY_MODE)?;
    write_new(&public_file, public.as_bytes(), PUBLIC_MODE)?;
    Ok(json!({
        "private_key_file": file.display().to_string(),
        "public_key_file": public_file.display().to_string(),
        "public_key": STANDARD.encode(key.verifying_key().as_bytes()),
    }))
}

/// Writes a file that was not there: a key that is lost cannot be had back.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.with_context(|| format!("cannot make {}", path.display()))
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn path(tenant: &str, key: Option<&str>) -> anyhow::Result<String> {
    let keys = format!("/v1/tenants/{}/signing-keys", segment(tenant)?);
    key.map_or_else(|| Ok(keys.clone()), |key| Ok(format!("{keys}/{}", segment(key)?)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use ed25519_dalek::pkcs8::DecodePublicKey;
    use ed25519_dalek::{Signature, VerifyingKey};

    use super::*;
    use crate::policies::signature::public_key;

    #[test]
    fn a_key_is_made_once_kept_private_and_signs() {
        let dir = tempfile::tempdir().unwrap();
        let (file, component) = (dir.path().join("ci.pem"), dir.path().join("p.wasm"));
        let made = Signing::Keygen { file: file.clone() }.local().unwrap().unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let public = std::fs::read_to_string(dir.path().join("ci.pem.pub")).unwrap();
        assert_eq!(public_key(&public).unwrap(), made["public_key"], "the server takes it");
        let private = std::fs::read_to_string(&file).unwrap();
        assert!(!made.to_string().contains(private.lines().nth(1).unwrap()), "it is not printed");
        assert!(keygen(&file).is_err(), "a key that is there is not written over");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), private);

        std::fs::write(&component, "bytes").unwrap();
        let signed = Signing::Sign { component, key: file }.local().unwrap().unwrap();
        let written = std::fs::read_to_string(dir.path().join("p.wasm.sig")).unwrap();
        assert_eq!(written.trim(), signed["signature"]);
        let signature = Signature::from_slice(&STANDARD.decode(written.trim()).unwrap()).unwrap();
        let key = VerifyingKey::from_public_key_pem(&public).unwrap();
        key.verify_strict(b"bytes", &signature).unwrap();
        key.verify_strict(b"bytes.", &signature).unwrap_err();
    }
}
