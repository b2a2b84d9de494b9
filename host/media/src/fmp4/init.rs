//! The init segment: `ftyp` and `moov` (ISO/IEC 14496-12 sections 4.3 and 8.2), written and read back.
//!
//! It depends on the codec configuration alone, so parts with the same configuration have the same init bytes. There
//! is no edit list: decode times of a later part begin where the part before ended, and stay so on the disk.

use bytes::Bytes;
use mp4_atom::{
    Atom, Audio, Avc1, Avcc, Codec, Decode, Dinf, Dref, DrefEntry, Encode, FixedPoint, FourCC, Ftyp, Hdlr, Hvc1, Hvcc,
    Mdhd, Mdia, Minf, Moov, Mp4a, Mvex, Mvhd, Smhd, Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Visual, Vmhd,
    esds::{DecoderConfig, DecoderSpecific, EsDescriptor, Esds, SLConfig},
};

use super::trailer::Trailer;
use super::{AUDIO_TRACK, BoxError, ByteRange, VIDEO_TIMESCALE, VIDEO_TRACK};
use crate::flv::{AudioCodec, VideoCodec};
use crate::track::{AudioConfig, Tracks, VideoConfig};

const VIDEO_HANDLER: FourCC = FourCC::new(b"vide");
const AUDIO_HANDLER: FourCC = FourCC::new(b"soun");

/// `objectTypeIndication` of MPEG-4 audio and `streamType` of audio, ISO/IEC 14496-1 tables 5 and 6.
const MPEG4_AUDIO: u8 = 0x40;
const AUDIO_STREAM: u8 = 5;

/// The beginning of a part file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitSegment {
    /// `ftyp`, `moov` and the trailer, to be written as they are.
    pub bytes: Bytes,
    /// Where `ftyp` and `moov` are in the file: what a playlist's `EXT-X-MAP` points at.
    pub range: ByteRange,
}

/// Writes the init block of a part with these tracks.
pub fn init_segment(tracks: &Tracks) -> Result<InitSegment, BoxError> {
    let mut out = Vec::new();
    let brand = FourCC::new(b"iso6");
    Ftyp {
        major_brand: brand,
        minor_version: 0,
        compatible_brands: vec![brand, FourCC::new(b"iso5"), FourCC::new(b"mp41")],
    }
    .encode(&mut out)?;
    moov(tracks)?.encode(&mut out)?;
    let covered = u32::try_from(out.len()).map_err(|_| BoxError::TooLarge)?;
    let trailer = Trailer { covered, crc: crc32c::crc32c(&out), ..Trailer::default() };
    trailer.append(&mut out)?;
    Ok(InitSegment { bytes: out.into(), range: ByteRange { offset: 0, len: u64::from(covered) } })
}

/// Reads the tracks of an init segment that [`init_segment`] wrote; bytes behind `moov` are not looked at.
pub fn read_tracks(init: &[u8]) -> Result<Tracks, BoxError> {
    let mut rest = init;
    Ftyp::decode(&mut rest)?;
    let moov = Moov::decode(&mut rest)?;
    let mut tracks = Tracks::default();
    for trak in moov.trak {
        match trak.mdia.minf.stbl.stsd.codecs.into_iter().next() {
            Some(Codec::Avc1(entry)) => {
                tracks.video = Some(VideoConfig::parse(VideoCodec::Avc, &body(&entry.avcc)?)?);
            }
            Some(Codec::Hvc1(entry)) => {
                tracks.video = Some(VideoConfig::parse(VideoCodec::Hevc, &body(&entry.hvcc)?)?);
            }
            Some(Codec::Mp4a(entry)) => {
                let specific = entry.esds.es_desc.dec_config.dec_specific;
                let record = specific.ok_or(BoxError::ForeignTrack)?.raw.into();
                tracks.audio = Some(AudioConfig::parse(AudioCodec::Aac, &record)?);
            }
            _ => return Err(BoxError::ForeignTrack),
        }
    }
    Ok(tracks)
}

fn body(atom: &impl Atom) -> Result<Bytes, BoxError> {
    let mut out = Vec::new();
    atom.encode_body(&mut out)?;
    Ok(out.into())
}

fn moov(tracks: &Tracks) -> Result<Moov, BoxError> {
    let mut moov = Moov {
        mvhd: Mvhd {
            timescale: VIDEO_TIMESCALE,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: AUDIO_TRACK + 1,
            ..Mvhd::default()
        },
        mvex: Some(Mvex::default()),
        ..Moov::default()
    };
    let mut trex = Vec::new();
    if let Some(video) = &tracks.video {
        moov.trak.push(video_trak(video)?);
        trex.push(defaults(VIDEO_TRACK));
    }
    if let Some(audio) = &tracks.audio {
        moov.trak.push(audio_trak(audio));
        trex.push(defaults(AUDIO_TRACK));
    }
    moov.mvex = Some(Mvex { mehd: None, trex });
    Ok(moov)
}

fn defaults(track_id: u32) -> Trex {
    Trex { track_id, default_sample_description_index: 1, ..Trex::default() }
}

fn video_trak(video: &VideoConfig) -> Result<Trak, BoxError> {
    let visual = Visual { data_reference_index: 1, width: video.width, height: video.height, ..Visual::default() };
    let mut record = video.record.as_ref();
    let entry = match video.codec {
        VideoCodec::Avc => Codec::Avc1(Avc1 { visual, avcc: Avcc::decode_body(&mut record)?, ..Avc1::default() }),
        VideoCodec::Hevc => Codec::Hvc1(Hvc1 { visual, hvcc: Hvcc::decode_body(&mut record)?, ..Hvc1::default() }),
    };
    let mut tkhd = track_header(VIDEO_TRACK);
    tkhd.width = video.width.into();
    tkhd.height = video.height.into();
    let minf = Minf { vmhd: Some(Vmhd::default()), ..media_information(entry) };
    Ok(Trak { tkhd, mdia: media(VIDEO_TIMESCALE, VIDEO_HANDLER, minf), ..Trak::default() })
}

fn audio_trak(audio: &AudioConfig) -> Trak {
    let entry = Mp4a {
        audio: Audio {
            data_reference_index: 1,
            // Zero means "see the frames"; the box has no such value and readers take two for granted.
            channel_count: if audio.channels == 0 { 2 } else { u16::from(audio.channels) },
            sample_size: 16,
            // Rates that do not fit 16 bits are written as 0 (section 12.2.3.2) and read from the codec header.
            sample_rate: FixedPoint::from(u16::try_from(audio.sample_rate).unwrap_or(0)),
        },
        esds: Esds {
            es_desc: EsDescriptor {
                dec_config: DecoderConfig {
                    object_type_indication: MPEG4_AUDIO,
                    stream_type: AUDIO_STREAM,
                    dec_specific: Some(DecoderSpecific { raw: audio.record.to_vec(), ..DecoderSpecific::default() }),
                    ..DecoderConfig::default()
                },
                sl_config: SLConfig::default(),
                ..EsDescriptor::default()
            },
        },
        btrt: None,
        taic: None,
    };
    let mut tkhd = track_header(AUDIO_TRACK);
    tkhd.volume = 1.into();
    let minf = Minf { smhd: Some(Smhd::default()), ..media_information(Codec::Mp4a(entry)) };
    Trak { tkhd, mdia: media(audio.sample_rate, AUDIO_HANDLER, minf), ..Trak::default() }
}

fn track_header(track_id: u32) -> Tkhd {
    Tkhd { track_id, enabled: true, in_movie: true, ..Tkhd::default() }
}

fn media(timescale: u32, handler: FourCC, minf: Minf) -> Mdia {
    Mdia {
        mdhd: Mdhd { timescale, language: "und".to_owned(), ..Mdhd::default() },
        hdlr: Hdlr { handler, name: String::new() },
        minf,
    }
}

/// Sample tables stay empty: the samples are in the fragments.
fn media_information(entry: Codec) -> Minf {
    Minf {
        dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } },
        stbl: Stbl { stsd: Stsd { codecs: vec![entry] }, stco: Some(Stco::default()), ..Stbl::default() },
        ..Minf::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fmp4::TRAILER_BYTES;
    use crate::track::samples;

    #[test]
    fn tracks_return() {
        let hevc = VideoConfig::parse(VideoCodec::Hevc, &samples::bytes(samples::HEVC)).unwrap();
        let (avc, aac) = (samples::video(samples::AVC), samples::audio(samples::AAC));
        for tracks in [
            Tracks { video: Some(avc.clone()), audio: Some(aac.clone()) },
            Tracks { video: Some(hevc), audio: Some(aac.clone()) },
            Tracks { video: Some(avc), audio: None },
            Tracks { video: None, audio: Some(aac) },
        ] {
            let init = init_segment(&tracks).unwrap();
            assert_eq!(init.bytes.len() as u64, init.range.len + u64::from(TRAILER_BYTES));
            let read = read_tracks(&init.bytes).unwrap();
            assert_eq!(read, tracks);
            let size = |tracks: &Tracks| tracks.video.as_ref().map(|v| (v.width, v.height, v.fps));
            assert_eq!(size(&read), size(&tracks));
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        let init = init_segment(&samples::both()).unwrap().bytes;
        for len in [0, 7, 20, 100, 500] {
            assert!(read_tracks(&init[..len]).is_err());
        }
        assert!(read_tracks(&[0xff; 100]).is_err());
    }
}
