//! What a session tells its caller: plain values, in the order in which the peer caused them.

use std::fmt;

use bytes::Bytes;

/// The result of one call: bytes to send and events seen.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Bytes for the peer. The caller must have written them before it feeds more input; that is what
    /// bounds the answers a peer can pile up by asking without reading.
    pub send: Vec<u8>,
    /// Events in order.
    pub events: Vec<Event>,
}

/// Something that happened on the connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// `connect` was received and has been answered.
    Connected(Box<Connected>),
    /// `publish` was received. Nothing after it is processed until the caller accepts or refuses.
    PublishRequested(Box<PublishRequest>),
    /// One audio or video message of the accepted publish; never empty.
    Media(Media),
    /// The publisher described its stream (`onMetaData`, alone or inside `@setDataFrame`).
    Metadata(Metadata),
    /// The publisher ended its stream; the connection may publish again.
    Unpublished,
}

/// What `connect` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Application name, without its query.
    pub app: String,
    /// `tcUrl` without its query; empty when the peer sent none.
    pub tc_url: String,
    /// The encoder's name for itself; empty when the peer sent none.
    pub flash_ver: String,
}

/// A publish that waits for [`accept_publish`](super::Session::accept_publish) or
/// [`refuse_publish`](super::Session::refuse_publish).
///
/// Debug output hides the values of the query, because signatures and keys travel there.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishRequest {
    /// Application name, without its query.
    pub app: String,
    /// `tcUrl` without its query; empty when the peer sent none.
    pub tc_url: String,
    /// Stream name, without its query.
    pub stream: String,
    /// Arguments of the stream name, then of the application, then of `tcUrl`, values percent-decoded. A key
    /// appears once: the first place that has it wins.
    pub query: Vec<(String, String)>,
    /// How the publisher wants to be treated.
    pub kind: PublishKind,
}

impl PublishRequest {
    /// The value of a query argument.
    pub fn argument(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The host that `tcUrl` names, in lower case and without port or brackets; `None` when it names none.
    pub fn host(&self) -> Option<String> {
        let (_, rest) = self.tc_url.split_once("://")?;
        let authority = rest.split('/').next()?;
        let authority = authority.rsplit('@').next()?;
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next()?,
            None => authority.split(':').next()?,
        };
        (!host.is_empty()).then(|| host.to_ascii_lowercase())
    }
}

impl fmt::Debug for PublishRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.query.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("PublishRequest")
            .field("app", &self.app)
            .field("tc_url", &self.tc_url)
            .field("stream", &self.stream)
            .field("query_keys", &keys)
            .field("kind", &self.kind)
            .finish()
    }
}

/// The third argument of `publish` (7.2.2.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishKind {
    /// `live`, or nothing, or anything we do not know.
    #[default]
    Live,
    /// `record`.
    Record,
    /// `append`.
    Append,
}

/// One audio or video message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Which track it belongs to.
    pub kind: MediaKind,
    /// The message's 32-bit time in milliseconds; it wraps after 49.7 days.
    pub timestamp_ms: u32,
    /// The message body: what the FLV format calls the tag's data.
    pub data: Bytes,
}

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Message type 8.
    Audio,
    /// Message type 9.
    Video,
}

/// The plain values of `onMetaData`; nested values are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Names and values in the publisher's order; names may repeat.
    pub values: Vec<(String, MetadataValue)>,
}

impl Metadata {
    /// The number under a name, if there is one and it is finite.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.values.iter().find_map(|(key, value)| match value {
            MetadataValue::Number(number) if key == name && number.is_finite() => Some(*number),
            _ => None,
        })
    }
}

/// One plain value.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataValue {
    /// An AMF0 number or date.
    Number(f64),
    /// An AMF0 boolean.
    Boolean(bool),
    /// An AMF0 string.
    Text(String),
}
