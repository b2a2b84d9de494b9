//! Where a video's files play from: one public prefix, then the video's id, then the file. The source has fixed
//! names; renditions and pictures have those their jobs gave them.

use crate::url_auth::{self, Terms};

/// The source as one MP4 file.
pub const SOURCE_MP4: &str = "source.mp4";

/// The source as an HLS playlist.
pub const SOURCE_HLS: &str = "source.m3u8";

/// The placeholder for a 5-digit index in the names of pictures.
pub const SNAPSHOT_INDEX: &str = "{SnapshotCount}";

/// The public prefix of all media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaUrls {
    /// Without a slash at its end.
    base: String,
    /// The path part of `base`; what is hashed when a URL is signed begins with it.
    base_path: String,
}

/// How URLs are signed for one tenant.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The play domain's key.
    pub key: &'a str,
    /// Time, random part and user.
    pub terms: Terms<'a>,
}

impl MediaUrls {
    /// URLs below `base`, for example `http://vod.example.org/media`.
    pub fn new(base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let after_scheme = base.find("://").map_or(0, |at| at + 3);
        let path_at = base[after_scheme..].find('/').map_or(base.len(), |at| after_scheme + at);
        let base_path = base[path_at..].to_owned();
        Self { base, base_path }
    }

    /// The host, with its port if it has one.
    pub fn host(&self) -> &str {
        let origin = &self.base[..self.base.len() - self.base_path.len()];
        origin.split_once("://").map_or(origin, |(_, host)| host)
    }

    /// A file of a video.
    pub fn file(&self, video: &str, file: &str) -> String {
        format!("{}/{video}/{file}", self.base)
    }

    /// A file of a video, signed if the tenant wants that.
    pub fn signed(&self, video: &str, file: &str, signer: Option<Signer<'_>>) -> String {
        let url = self.file(video, file);
        match signer {
            None => url,
            Some(Signer { key, terms }) => {
                let path = format!("{}/{video}/{file}", self.base_path);
                url_auth::signed_url(&url, &path, terms, key)
            }
        }
    }
}

/// Picture number `index` of a series.
pub fn snapshot_file(pattern: &str, index: u32) -> String {
    pattern.replace(SNAPSHOT_INDEX, &format!("{index:05}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_prefix_video_file() {
        let urls = MediaUrls::new("http://vod.example.org:8080/media/");
        assert_eq!(urls.file("v1", SOURCE_MP4), "http://vod.example.org:8080/media/v1/source.mp4");
        assert_eq!(urls.signed("v1", "a.mp4", None), "http://vod.example.org:8080/media/v1/a.mp4");
        let terms = Terms::at(1_798_761_600);
        let signed = urls.signed("v1", "a.mp4", Some(Signer { key: "k", terms }));
        let value = signed.strip_prefix("http://vod.example.org:8080/media/v1/a.mp4?auth_key=").unwrap();
        assert!(url_auth::verify("/media/v1/a.mp4", Some(value), &["k"], 1800, 1_798_761_600).is_ok());
        assert_eq!(urls.host(), "vod.example.org:8080");
        assert_eq!(MediaUrls::new("http://h").base_path, "");
    }

    #[test]
    fn pictures_are_numbered_with_five_digits() {
        assert_eq!(snapshot_file("covers/a-{SnapshotCount}.jpg", 4), "covers/a-00004.jpg");
    }
}
