//! Who may look: the video as the catalogue has it, and the signature that a tenant's URL authentication asks for.

use axum::http::Uri;
use reprise_lifecycle::id::VideoId;
use secrecy::{ExposeSecret, SecretString};

use super::Playback;
use super::error::Refusal;
use super::names::is_name;
use crate::store::videos::VideoRow;
use crate::url_auth::{self, Terms};

/// The leave to look at one video. It is made by [`admit`] only.
pub(super) struct Viewing {
    /// The video.
    pub(super) video: VideoRow,
    /// Its id, for the files.
    pub(super) id: VideoId,
    /// How the URLs of what belongs to it are signed; absent when the tenant asks for no signatures.
    pub(super) signature: Option<Signature>,
}

/// The signature of a request, ready to be given on to what the answer names.
pub(super) struct Signature {
    key: SecretString,
    timestamp_s: i64,
    rand: String,
    uid: String,
    /// The folder of the requested path, as it was hashed, with a slash at its end.
    folder: String,
}

impl Signature {
    /// What to append to a reference relative to the requested path, so that it lives as long as the request's own.
    pub(super) fn suffix(&self, reference: &str) -> String {
        let terms = Terms { timestamp_s: self.timestamp_s, rand: &self.rand, uid: &self.uid };
        let path = format!("{}{reference}", self.folder);
        format!("?auth_key={}", url_auth::sign(&path, terms, self.key.expose_secret()))
    }
}

impl Viewing {
    /// A relative reference with its signature, if one is needed.
    pub(super) fn reference(&self, reference: &str) -> String {
        let suffix = self.signature.as_ref().map(|signature| signature.suffix(reference));
        format!("{reference}{}", suffix.unwrap_or_default())
    }
}

/// Whether this request may look at a video.
///
/// # Errors
/// [`Refusal::NotFound`] when there is none, [`Refusal::Denied`] when the tenant wants a signature and this is none.
pub(super) async fn admit(playback: &Playback, uri: &Uri, video: &str) -> Result<Viewing, Refusal> {
    if !is_name(video) {
        return Err(Refusal::NotFound);
    }
    let video = playback.store.video_for_playback(video).await?.ok_or(Refusal::NotFound)?;
    let tenant = playback.store.tenant(&video.tenant).await?.ok_or(Refusal::NotFound)?;
    let signature = if tenant.url_auth {
        let keys = playback.store.tenant_keys(&tenant.name).await?.ok_or(Refusal::NotFound)?;
        Some(verify(playback, uri, keys.play_key, tenant.auth_validity_s)?)
    } else {
        None
    };
    Ok(Viewing { id: VideoId::new(video.id.clone()), video, signature })
}

/// The path is hashed as it stands in the request. Behind a proxy that took a prefix away, it stood there with it.
fn verify(playback: &Playback, uri: &Uri, key: SecretString, validity_s: i64) -> Result<Signature, Refusal> {
    let given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "auth_key")
        .map(|(_, value)| value.into_owned());
    let now_s = (playback.now)().0.div_euclid(1000);
    let check = |path: &str| url_auth::verify(path, given.as_deref(), &[key.expose_secret()], validity_s, now_s);
    let mut path = uri.path().to_owned();
    if let Err(denied) = check(&path) {
        if playback.public_path.is_empty() {
            return Err(denied.into());
        }
        path.insert_str(0, &playback.public_path);
        check(&path)?;
    }
    // A value that was verified has its four parts.
    let given = given.unwrap_or_default();
    let mut parts = given.split('-');
    let timestamp_s = parts.next().and_then(|timestamp| timestamp.parse().ok()).unwrap_or_default();
    let (rand, uid) = (parts.next().unwrap_or_default().to_owned(), parts.next().unwrap_or_default().to_owned());
    let folder = path.rfind('/').map_or("/", |at| &path[..=at]).to_owned();
    Ok(Signature { key, timestamp_s, rand, uid, folder })
}
