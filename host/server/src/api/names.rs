//! The vendor's words for our things. The same four letters mean different qualities in its two vocabularies, so
//! both are spelled out in one table.

use reprise_lifecycle::event::Told;
use reprise_lifecycle::work::AnalysisKind;

/// The application every object belongs to; the vendor's default one.
pub const DEFAULT_APP_ID: &str = "app-1000000";

/// What templates may call themselves, and what their renditions are called in playback and events.
const DEFINITIONS: [(&str, &str); 9] = [
    ("LD", "FD"),
    ("SD", "LD"),
    ("HD", "SD"),
    ("FHD", "HD"),
    ("2K", "2K"),
    ("4K", "4K"),
    ("OD", "OD"),
    ("SQ", "SQ"),
    ("HQ", "HQ"),
];

/// Our word for how far a video is, and the vendor's.
const STATUSES: [(&str, &str); 6] = [
    ("uploading", "Uploading"),
    ("stored", "UploadSucc"),
    ("transcoding", "Transcoding"),
    ("ready", "Normal"),
    ("failed", "TranscodeFail"),
    ("produce_failed", "ProduceFail"),
];

/// The definition of a stream that is the source itself, or a copy of it.
pub const ORIGINAL_DEFINITION: &str = "OD";

/// The label of a template as its renditions carry it in playback and events. A label that is not the vendor's
/// stays as it is.
pub fn play_definition(template: &str) -> &str {
    let row = DEFINITIONS.iter().find(|(ours, _)| *ours == template);
    row.map_or(template, |(_, play)| play)
}

/// A template's label in its proper spelling, if the vendor has it.
pub fn template_definition(text: &str) -> Option<&'static str> {
    let row = DEFINITIONS.iter().find(|(template, _)| template.eq_ignore_ascii_case(text));
    row.map(|(template, _)| *template)
}

/// The vendor's word for a video's status.
pub fn video_status(word: &str) -> &'static str {
    let row = STATUSES.iter().find(|(ours, _)| *ours == word);
    // The words come from our own read model; an unknown one can only be a video nothing was done with yet.
    row.map_or("UploadSucc", |(_, vendor)| vendor)
}

/// Our word for the vendor's status. Statuses no video of ours ever has give nothing.
pub fn status_word(vendor: &str) -> Option<&'static str> {
    let vendor = if vendor == "UploadSucces" { "UploadSucc" } else { vendor };
    let row = STATUSES.iter().find(|(_, theirs)| *theirs == vendor);
    row.map(|(ours, _)| *ours)
}

/// Our word for how far an editing project is, and the vendor's.
const PROJECT_STATUSES: [(&str, &str); 4] =
    [("draft", "Normal"), ("producing", "Producing"), ("produced", "Produced"), ("failed", "ProduceFailed")];

/// The vendor's word for an editing project's status.
pub fn project_status(word: &str) -> &'static str {
    let row = PROJECT_STATUSES.iter().find(|(ours, _)| *ours == word);
    row.map_or("Normal", |(_, vendor)| vendor)
}

/// Our word for the vendor's status of an editing project, in both of its spellings of a failure.
pub fn project_word(vendor: &str) -> Option<&'static str> {
    let vendor = if vendor == "ProduceFaile" { "ProduceFailed" } else { vendor };
    let row = PROJECT_STATUSES.iter().find(|(_, theirs)| *theirs == vendor);
    row.map(|(ours, _)| *ours)
}

/// The vendor's statuses that are known although no video of ours has them.
pub fn is_foreign_status(vendor: &str) -> bool {
    matches!(vendor, "UploadFail" | "Checking" | "Blocked" | "Deleted")
}

/// Our words for what a video was made from, for each of the vendor's `MediaSource`. None for the sources that no
/// video of ours ever has.
pub fn sources(vendor: &str) -> &'static [&'static str] {
    match vendor {
        "live" => &["part", "compose"],
        "editing" => &["edit"],
        _ => &[],
    }
}

/// The vendor's `MediaSource` of a video.
pub fn media_source(word: &str) -> &'static str {
    if word == "edit" { "editing" } else { "live" }
}

/// How a transcoded stream is specified: codec and the class its picture fits into.
pub fn specification(codec: &str, width: u32, height: u32) -> String {
    let (long, short) = (width.max(height), width.min(height));
    if long == 0 {
        return "Audio".to_owned();
    }
    let classes = [("LD", 640, 480), ("SD", 1280, 720), ("HD", 1920, 1080), ("2K", 2560, 1440)];
    let class = classes.iter().find(|(_, most_long, most_short)| long <= *most_long && short <= *most_short);
    format!("{}.{}", codec.replace("H.", "H"), class.map_or("4K", |(name, ..)| name))
}

/// The vendor's event type.
pub fn event_type(told: &Told) -> &'static str {
    match told {
        Told::PartRecorded { .. } => "AddLiveRecordVideoComplete",
        Told::ComposeStarted | Told::ComposeRefused(_) => "LiveRecordVideoComposeStart",
        Told::SourceComplete { .. } => "FileUploadComplete",
        Told::Analysed(_) => "VideoAnalysisComplete",
        Told::CoverTaken { .. } => "SnapshotComplete",
        Told::StreamTranscoded(_) => "StreamTranscodeComplete",
        Told::TaskComplete { .. } => "TranscodeComplete",
        Told::ComposeFailed(_) | Told::ProduceFinished { .. } => "ProduceMediaComplete",
        Told::PicturesTaken { .. } => "SnapshotComplete",
        Told::AnalysisDone { kind: AnalysisKind::Fingerprint, .. } => "AIMediaDNAComplete",
        Told::AnalysisDone { kind: AnalysisKind::Facts, .. } => "AIMediaAnalysisComplete",
        Told::Removed { .. } => "DeleteMediaComplete",
        Told::RecordingStopped => "LiveRecordError",
    }
}

/// How a notice went.
pub fn record_result(delivered: bool) -> &'static str {
    if delivered { "success" } else { "failed" }
}

/// A rate as the vendor writes it: no trailing zeros, `29.97`, `25`.
pub fn rate(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_letters_mean_one_step_less_in_playback() {
        for (template, play) in [("LD", "FD"), ("SD", "LD"), ("HD", "SD"), ("FHD", "HD"), ("OD", "OD"), ("4K", "4K")] {
            assert_eq!(play_definition(template), play);
        }
        assert_eq!(play_definition("odd"), "odd");
        assert_eq!(template_definition("fhd"), Some("FHD"));
        assert_eq!(template_definition("FD"), None);
    }

    #[test]
    fn statuses_go_both_ways() {
        for (ours, vendor) in STATUSES {
            assert_eq!(video_status(ours), vendor);
            assert_eq!(status_word(vendor), Some(ours));
        }
        assert_eq!(status_word("UploadSucces"), Some("stored"));
        assert_eq!(status_word("Checking"), None);
    }

    #[test]
    fn specifications_fit_both_sides() {
        let table = [
            ("H.264", 640, 480, "H264.LD"),
            ("H.264", 640, 360, "H264.LD"),
            ("H.264", 480, 640, "H264.LD"),
            ("H.264", 960, 540, "H264.SD"),
            ("H.265", 1280, 720, "H265.SD"),
            ("H.264", 720, 720, "H264.SD"),
            ("H.264", 1920, 1080, "H264.HD"),
            ("H.264", 2560, 1440, "H264.2K"),
            ("H.265", 3840, 2160, "H265.4K"),
            ("AAC", 0, 0, "Audio"),
        ];
        for (codec, width, height, specification) in table {
            assert_eq!(super::specification(codec, width, height), specification);
        }
    }

    #[test]
    fn rates_have_no_needless_zeros() {
        for (value, text) in [(25.0, "25"), (29.97, "29.97"), (23.976, "23.976"), (0.0, "0"), (10.0, "10")] {
            assert_eq!(rate(value), text);
        }
    }
}
