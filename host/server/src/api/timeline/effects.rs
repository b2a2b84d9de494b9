//! The effects of a clip.

use super::member::{Member, ORIGIN};
use crate::api::error::Error;
use crate::edit::timeline::{Blur, Effect, Length, MAX_GAIN_PERMILLE, MAX_TEXT_CHARS, Span, Text, Volume};

/// The vendor's default font, which few servers have; one with the letters of the text stands in for it.
const DEFAULT_FONT: &str = "SimSun";
/// Longer names are no font's.
const MAX_FONT_BYTES: usize = 64;
const DEFAULT_FONT_SIZE: f64 = 20.0;
/// Letters as high as this fill any picture.
const MAX_FONT_SIZE: f64 = 1000.0;

pub(super) fn of_clip(member: &Member<'_>) -> Result<Effect, Error> {
    match member.text("Type")?.as_deref() {
        Some("Volume") => volume(member).map(Effect::Volume),
        Some("Text") => text(member).map(Effect::Text),
        Some("DeWatermark") => blur(member).map(Effect::Blur),
        _ => Err(member.invalid("Type", "it must be Volume, Text or DeWatermark")),
    }
}

pub(super) fn of_sound(member: &Member<'_>) -> Result<Volume, Error> {
    match member.text("Type")?.as_deref() {
        Some("Volume") => volume(member),
        _ => Err(member.invalid("Type", "it must be Volume")),
    }
}

fn volume(member: &Member<'_>) -> Result<Volume, Error> {
    let most = f64::from(MAX_GAIN_PERMILLE) / 1000.0;
    let gain = member.number_within("Gain", 0.0, most)?.unwrap_or(1.0);
    Ok(Volume { gain_permille: (gain * 1000.0).round() as u32, span: span(member)? })
}

fn text(member: &Member<'_>) -> Result<Text, Error> {
    let content = member.text("Content")?.ok_or_else(|| member.invalid("Content", "it is mandatory"))?;
    if content.chars().count() > MAX_TEXT_CHARS {
        return Err(member.invalid("Content", format!("it must be at most {MAX_TEXT_CHARS} letters")));
    }
    // Line breaks are drawn as such; nothing else that cannot be seen has a meaning on a picture.
    let content: String = content.replace("\r\n", "\n").replace('\r', "\n");
    let content: String = content.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let font = member.text("Font")?.unwrap_or_else(|| DEFAULT_FONT.to_owned());
    if font.len() > MAX_FONT_BYTES {
        return Err(member.invalid("Font", format!("it must be at most {MAX_FONT_BYTES} bytes")));
    }
    let (mut bold, mut italic) = (false, false);
    if let Some(face) = member.object("FontFace")? {
        (bold, italic) = (face.flag("Bold")?, face.flag("Italic")?);
        if face.flag("Underline")? {
            return Err(face.invalid("Underline", "this server does not underline"));
        }
    }
    let size = member.number_within("FontSize", 1.0, MAX_FONT_SIZE)?.unwrap_or(DEFAULT_FONT_SIZE);
    let opacity = member.number_within("FontColorOpacity", 0.0, 1.0)?.unwrap_or(1.0);
    Ok(Text {
        content,
        x: member.length("X")?.unwrap_or(ORIGIN),
        y: member.length("Y")?.unwrap_or(ORIGIN),
        font,
        size: size.round() as u32,
        color: color(member)?,
        opacity_permille: (opacity * 1000.0).round() as u32,
        bold,
        italic,
        span: span(member)?,
    })
}

fn color(member: &Member<'_>) -> Result<[u8; 3], Error> {
    let text = member.text("FontColor")?.unwrap_or_else(|| "#FFFFFF".to_owned());
    let digits = text.strip_prefix('#').unwrap_or(&text);
    let bytes = hex::decode(digits).ok().and_then(|bytes| <[u8; 3]>::try_from(bytes).ok());
    bytes.ok_or_else(|| member.invalid("FontColor", "it must be a colour such as #FFFFFF"))
}

fn blur(member: &Member<'_>) -> Result<Blur, Error> {
    if member.text("SubType")?.is_some_and(|kind| kind != "Delogo_Blur") {
        return Err(member.invalid("SubType", "it must be Delogo_Blur"));
    }
    let length = |name: &str| -> Result<Length, Error> {
        member.length(name)?.ok_or_else(|| member.invalid(name, "it is mandatory"))
    };
    let (x, y, width, height) = (length("X")?, length("Y")?, length("Width")?, length("Height")?);
    Ok(Blur { x, y, width, height, span: span(member)? })
}

/// When it applies. The timeline's times go before the material's where an editor gives both.
fn span(member: &Member<'_>) -> Result<Option<Span>, Error> {
    let timeline = (member.time_ms("TimelineIn")?, member.time_ms("TimelineOut")?);
    let source = (member.time_ms("In")?, member.time_ms("Out")?);
    let backwards = |(from, to): (Option<u64>, Option<u64>)| to.is_some_and(|to| to <= from.unwrap_or(0));
    match (timeline, source) {
        ((None, None), (None, None)) => Ok(None),
        ((None, None), times) if backwards(times) => Err(member.invalid("Out", "it must be after In")),
        ((None, None), (from, to_ms)) => Ok(Some(Span::Source { from_ms: from.unwrap_or(0), to_ms })),
        (times, _) if backwards(times) => Err(member.invalid("TimelineOut", "it must be after TimelineIn")),
        ((from, to_ms), _) => Ok(Some(Span::Timeline { from_ms: from.unwrap_or(0), to_ms })),
    }
}
