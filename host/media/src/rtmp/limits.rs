//! Every bound of the RTMP surface, with what goes wrong without it.

use super::amf0;

/// Bounds of one connection. The defaults fit every encoder we know of; raise them only with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes kept for a connection until its first publish is accepted, held input included. Anyone may
    /// connect, so this times the number of connections is what strangers can make us hold.
    pub before_publish_bytes: usize,
    /// Longest command message. Commands are a few hundred bytes; longer ones only feed the decoder.
    pub command_bytes: u32,
    /// Longest data message that is decoded; a longer one is skipped, since no recording depends on it.
    pub data_bytes: u32,
    /// Longest message of any type. The largest key frames of 4K streams are some 2 MiB.
    pub message_bytes: u32,
    /// Bytes of all unfinished messages of a publisher: two of the longest, audio beside video.
    pub partial_bytes: usize,
    /// Chunk streams until the first publish is accepted. Encoders use four or five.
    pub chunk_streams_before_publish: usize,
    /// Chunk streams of a publisher. Each remembers a header and may hold a partial message.
    pub chunk_streams: usize,
    /// Messages within one aggregate. Each becomes an event, so a few bytes must not make very many.
    pub aggregate_parts: usize,
    /// Bytes to send that one call may produce. Short questions have longer answers, and the caller holds
    /// them until the peer reads.
    pub reply_bytes: usize,
    /// Length of `tcUrl`, whose query may carry a signature.
    pub url_bytes: usize,
    /// Query pairs of a publish request.
    pub query_pairs: usize,
    /// Bounds of one AMF0 message.
    pub amf0: amf0::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            before_publish_bytes: 256 * 1024,
            command_bytes: 16 * 1024,
            data_bytes: 64 * 1024,
            message_bytes: 8 * 1024 * 1024,
            partial_bytes: 16 * 1024 * 1024,
            chunk_streams_before_publish: 8,
            chunk_streams: 64,
            aggregate_parts: 4096,
            reply_bytes: 256 * 1024,
            url_bytes: 4096,
            query_pairs: 64,
            amf0: amf0::Limits::default(),
        }
    }
}

/// Longest application or stream name in bytes. Names become parts of keys and URLs.
pub(super) const NAME_BYTES: usize = 255;
