//! The vendor's editing timeline, read into our own words.
//!
//! Editors send much of their own state along and write numbers as numbers or as strings: unknown members are passed
//! over and both spellings are read. What is known but wrong is refused with the path of the member, so that an editor
//! can show where. Everything is bounded before anything is kept.

mod effects;
mod member;

use serde_json::Value;

use self::member::Member;
use super::error::Error;
use crate::edit::layout::{LayoutError, Place};
use crate::edit::timeline::{
    Clip, Cut, MAX_CLIPS, MAX_EFFECTS, MAX_OVERLAYS, MAX_SOUND_CLIPS, MAX_SOUND_EFFECTS, MAX_SOUND_TRACKS, Material,
    Overlay, SoundClip, Timeline,
};

/// The parameter that carries it.
pub(crate) const TIMELINE: &str = "Timeline";

/// An editor's state of some hundred clips with their effects takes a quarter of this.
pub(crate) const MAX_TIMELINE_BYTES: usize = 512 * 1024;

/// Reads a timeline. Nothing at all is an empty one.
///
/// # Errors
/// Names the member that is wrong.
pub(crate) fn read(text: &str) -> Result<Timeline, Error> {
    if text.len() > MAX_TIMELINE_BYTES {
        return Err(Error::invalid(TIMELINE, format!("it must be at most {MAX_TIMELINE_BYTES} bytes")));
    }
    if text.trim().is_empty() {
        return Ok(Timeline::default());
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| Error::invalid(TIMELINE, format!("it is not JSON: {error}")))?;
    let root = Member::root(TIMELINE, &value)?;
    Ok(Timeline {
        clips: video_track(&root)?,
        sounds: sound_tracks(&root)?,
        overlays: image_tracks(&root)?,
        width: None,
        height: None,
    })
}

/// What is wrong with a timeline that was read well but cannot be made.
pub(crate) fn unfit(error: &LayoutError) -> Error {
    let path = match error.place {
        Place::Whole => TIMELINE.to_owned(),
        Place::Clip(clip) => format!("{TIMELINE}.VideoTracks[0].VideoTrackClips[{clip}]"),
        Place::ClipEffect(clip, effect) => {
            format!("{TIMELINE}.VideoTracks[0].VideoTrackClips[{clip}].Effects[{effect}]")
        }
        Place::Sound(track, clip) => format!("{TIMELINE}.AudioTracks[{track}].AudioTrackClips[{clip}]"),
        Place::Overlay(track, clip) => format!("{TIMELINE}.ImageTracks[{track}].ImageTrackClips[{clip}]"),
    };
    Error::invalid(path, error.problem.to_string())
}

fn video_track(root: &Member<'_>) -> Result<Vec<Clip>, Error> {
    let tracks = root.list("VideoTracks")?;
    let mut clips = Vec::new();
    let mut drawn = 0;
    for (number, track) in tracks.iter().enumerate() {
        let members = track.list("VideoTrackClips")?;
        if number > 0 && !members.is_empty() {
            return Err(track.wrong("there can be one video track; pictures over it are image tracks"));
        }
        track.at_most("VideoTrackClips", members.len(), MAX_CLIPS)?;
        for member in &members {
            let clip = video_clip(member)?;
            drawn += clip.effects.len();
            if drawn > MAX_EFFECTS {
                return Err(member.wrong(format!("a timeline can have {MAX_EFFECTS} effects")));
            }
            clips.push(clip);
        }
    }
    Ok(clips)
}

fn video_clip(member: &Member<'_>) -> Result<Clip, Error> {
    let kind = member.text("Type")?.unwrap_or_else(|| "Video".to_owned());
    let id = member.id(&["MediaId", "VideoId"])?;
    let material = match kind.to_ascii_lowercase().as_str() {
        "video" => Material::Video(id),
        "image" => Material::Image(id),
        _ => return Err(member.invalid("Type", "it must be Video or Image")),
    };
    let effects = member.list("Effects")?;
    member.at_most("Effects", effects.len(), MAX_EFFECTS)?;
    let effects = effects.iter().map(effects::of_clip).collect::<Result<_, _>>()?;
    Ok(Clip { material, cut: cut(member)?, effects })
}

fn sound_tracks(root: &Member<'_>) -> Result<Vec<Vec<SoundClip>>, Error> {
    let tracks = root.list("AudioTracks")?;
    root.at_most("AudioTracks", tracks.len(), MAX_SOUND_TRACKS)?;
    let (mut count, mut volumes) = (0, 0);
    let mut sounds = Vec::new();
    for track in &tracks {
        let members = track.list("AudioTrackClips")?;
        count += members.len();
        track.at_most("AudioTrackClips", count, MAX_SOUND_CLIPS)?;
        let mut clip = |member: &Member<'_>| {
            let effects = member.list("Effects")?;
            member.at_most("Effects", effects.len(), MAX_EFFECTS)?;
            volumes += effects.len();
            if volumes > MAX_SOUND_EFFECTS {
                return Err(member.wrong(format!("sound tracks can have {MAX_SOUND_EFFECTS} effects")));
            }
            let volumes = effects.iter().map(effects::of_sound).collect::<Result<_, _>>()?;
            Ok(SoundClip { video: member.id(&["MediaId", "VideoId"])?, cut: cut(member)?, volumes })
        };
        sounds.push(members.iter().map(&mut clip).collect::<Result<_, Error>>()?);
    }
    Ok(sounds)
}

fn image_tracks(root: &Member<'_>) -> Result<Vec<Vec<Overlay>>, Error> {
    let tracks = root.list("ImageTracks")?;
    root.at_most("ImageTracks", tracks.len(), MAX_OVERLAYS)?;
    let mut count = 0;
    let mut overlays = Vec::new();
    for track in &tracks {
        let members = track.list("ImageTrackClips")?;
        count += members.len();
        track.at_most("ImageTrackClips", count, MAX_OVERLAYS)?;
        let overlay = |member: &Member<'_>| {
            Ok(Overlay {
                image: member.id(&["ImageId", "MediaId"])?,
                x: member.length("X")?.unwrap_or(member::ORIGIN),
                y: member.length("Y")?.unwrap_or(member::ORIGIN),
                width: member.length("Width")?,
                height: member.length("Height")?,
                at_ms: member.time_ms("TimelineIn")?.unwrap_or(0),
                until_ms: member.time_ms("TimelineOut")?,
            })
        };
        overlays.push(members.iter().map(overlay).collect::<Result<_, Error>>()?);
    }
    Ok(overlays)
}

fn cut(member: &Member<'_>) -> Result<Cut, Error> {
    Ok(Cut {
        from_ms: member.time_ms("In")?.unwrap_or(0),
        to_ms: member.time_ms("Out")?,
        at_ms: member.time_ms("TimelineIn")?,
        until_ms: member.time_ms("TimelineOut")?,
    })
}

#[cfg(test)]
mod tests;
