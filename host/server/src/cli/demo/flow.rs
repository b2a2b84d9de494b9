//! The four flows from a live stream to videos. Pure: how each records, what is asked for by hand, and which events
//! must have come of which video.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The built-in group that encodes nothing.
const NO_TRANSCODE: &str = "VOD_NO_TRANSCODE";

/// How long the encoder may be gone, in seconds: one flow shows the end of a broadcast soon, the other two have an
/// encoder that must start again within it.
const BREAK_SECONDS: u32 = 3;
const LONGER_BREAK_SECONDS: u32 = 6;

/// One of the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Transcode,
    Store,
    Compose,
    ComposeOnly,
}

/// How far a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The broadcast is over, and what follows from it by itself is done.
    Recorded,
    /// What was asked for by hand is done too.
    Transcoded,
}

/// A video, as far as flows tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) id: String,
    pub(super) is_composed: bool,
}

impl Flow {
    /// What happens, in one line.
    pub(super) fn story(self) -> &'static str {
        match self {
            Self::Transcode => "record, transcode at once as the policy says, play",
            Self::Store => "record and store only; transcode later, by hand",
            Self::Compose => "record several cycles, compose and transcode the whole at once",
            Self::ComposeOnly => "record several cycles and compose only; transcode the whole later, by hand",
        }
    }

    /// Whether a policy decides about the parts.
    pub(super) fn has_policy(self) -> bool {
        matches!(self, Self::Transcode | Self::Compose)
    }

    /// Whether transcoding is asked for by hand.
    pub(super) fn is_by_hand(self) -> bool {
        matches!(self, Self::Store | Self::ComposeOnly)
    }

    /// Whether the parts become one video.
    pub(super) fn composes(self) -> bool {
        matches!(self, Self::Compose | Self::ComposeOnly)
    }

    /// The group that the record config names for parts.
    pub(super) fn part_group(self, small: &str) -> &str {
        if self.is_by_hand() { NO_TRANSCODE } else { small }
    }

    /// The group that it names for the whole, if there will be one.
    pub(super) fn compose_group(self, large: &str) -> Option<&str> {
        match self {
            Self::Transcode | Self::Store => None,
            Self::Compose => Some(large),
            Self::ComposeOnly => Some(NO_TRANSCODE),
        }
    }

    pub(super) fn break_seconds(self) -> u32 {
        if self.composes() { LONGER_BREAK_SECONDS } else { BREAK_SECONDS }
    }

    /// How long the encoder publishes each time.
    pub(super) fn pushes(self, seconds: u32) -> Vec<u32> {
        if self.composes() { vec![seconds.div_ceil(2), seconds / 2] } else { vec![seconds] }
    }

    /// Whether this video is one that is transcoded by hand.
    pub(super) fn wants_by_hand(self, video: &Made) -> bool {
        self.is_by_hand() && video.is_composed == self.composes()
    }

    /// What has not come of these videos, in words; nothing when the flow is complete.
    pub(super) fn missing(
        self,
        phase: Phase,
        videos: &[Made],
        told: &BTreeMap<String, BTreeSet<String>>,
    ) -> Option<String> {
        if !videos.iter().any(|video| !video.is_composed) {
            return Some("the first video".to_owned());
        }
        if self.composes() && !videos.iter().any(|video| video.is_composed) {
            return Some("the composed video".to_owned());
        }
        videos.iter().find_map(|video| {
            let have = told.get(&video.id);
            let lacks = |kind: &&str| have.is_none_or(|have| !have.contains(*kind));
            let kind = self.events(phase, video).into_iter().find(lacks)?;
            Some(format!("{kind} of {}", video.id.chars().take(8).collect::<String>()))
        })
    }

    fn events(self, phase: Phase, video: &Made) -> Vec<&'static str> {
        let first = if video.is_composed { "LiveRecordVideoComposeStart" } else { "AddLiveRecordVideoComplete" };
        let mut events = vec![first, "FileUploadComplete", "VideoAnalysisComplete", "SnapshotComplete"];
        let by_hand = phase == Phase::Transcoded && self.wants_by_hand(video);
        if !self.is_by_hand() || by_hand {
            events.extend(["StreamTranscodeComplete", "TranscodeComplete"]);
        }
        events
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transcode => "1",
            Self::Store => "2",
            Self::Compose => "3",
            Self::ComposeOnly => "4",
        })
    }
}

impl FromStr for Flow {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Transcode, Self::Store, Self::Compose, Self::ComposeOnly];
        all.into_iter().find(|flow| flow.to_string() == text).ok_or("there are the flows 1, 2, 3 and 4")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: [&str; 4] =
        ["AddLiveRecordVideoComplete", "FileUploadComplete", "VideoAnalysisComplete", "SnapshotComplete"];
    const WHOLE: [&str; 4] =
        ["LiveRecordVideoComposeStart", "FileUploadComplete", "VideoAnalysisComplete", "SnapshotComplete"];
    const TRANSCODED: [&str; 2] = ["StreamTranscodeComplete", "TranscodeComplete"];

    #[test]
    fn a_flow_is_complete_when_every_event_of_every_video_has_come() {
        let (part, whole) = ("part".to_owned(), "whole".to_owned());
        let just_part = vec![Made { id: part.clone(), is_composed: false }];
        let both = vec![Made { id: whole.clone(), is_composed: true }, just_part[0].clone()];
        let table: [(Flow, Phase, &[Made], bool, bool); 6] = [
            (Flow::Transcode, Phase::Recorded, &just_part, true, false),
            (Flow::Store, Phase::Recorded, &just_part, false, false),
            (Flow::Store, Phase::Transcoded, &just_part, true, false),
            (Flow::Compose, Phase::Recorded, &both, true, true),
            (Flow::ComposeOnly, Phase::Recorded, &both, false, false),
            (Flow::ComposeOnly, Phase::Transcoded, &both, false, true),
        ];
        for (flow, phase, videos, part_transcoded, whole_transcoded) in table {
            let told = |id: &str, first: &[&str], transcoded: bool| -> Vec<(String, String)> {
                let more = if transcoded { TRANSCODED.as_slice() } else { &[] };
                first.iter().chain(more).map(|kind| (id.to_owned(), (*kind).to_owned())).collect()
            };
            let mut all = told(&part, &PART, part_transcoded);
            if videos.len() == 2 {
                all.extend(told(&whole, &WHOLE, whole_transcoded));
            }
            let missing = |told: &[(String, String)]| {
                let mut map: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
                for (id, kind) in told {
                    map.entry(id.clone()).or_default().insert(kind.clone());
                }
                flow.missing(phase, videos, &map)
            };
            assert_eq!(missing(&all), None, "{flow:?} {phase:?}");
            for lost in 0..all.len() {
                let mut told = all.clone();
                let (id, kind) = told.remove(lost);
                assert_eq!(missing(&told), Some(format!("{kind} of {id}")), "{flow:?} {phase:?}");
            }
            if videos.len() == 2 {
                assert_eq!(flow.missing(phase, &just_part, &BTreeMap::new()), Some("the composed video".to_owned()));
            }
        }
    }

    #[test]
    fn flows_are_told_apart_by_their_numbers() {
        for number in ["1", "2", "3", "4"] {
            assert_eq!(number.parse::<Flow>().map(|flow| flow.to_string()), Ok(number.to_owned()));
        }
        assert!("0".parse::<Flow>().is_err() && "5".parse::<Flow>().is_err() && "".parse::<Flow>().is_err());
    }

    #[test]
    fn the_encoder_publishes_as_long_as_was_asked_for() {
        for flow in [Flow::Transcode, Flow::Store, Flow::Compose, Flow::ComposeOnly] {
            assert_eq!(flow.pushes(41).iter().sum::<u32>(), 41);
            assert!(flow.pushes(3).iter().all(|seconds| *seconds > 0));
        }
    }
}
