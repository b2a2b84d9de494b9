//! Second names of a production's materials in the folder of the video it makes. They are there before the production is
//! accepted and go with its result, so what was accepted can be made whatever becomes of the materials meanwhile.

use std::io::{self, Read};

use cap_std::fs::Dir;
use reprise_lifecycle::id::VideoId;

use super::image::{self, ImageFormat};
use super::materials::{Known, material};
use super::pack::facts;
use super::timeline::Timeline;
use crate::compose::{PARTS, part, pin_names};
use crate::files::{Files, SOURCE, SOURCE_INDEX};
use crate::store::images::ImageRow;

/// Pins what there is of the materials. What is not there any more is for the production to say. Blocks.
///
/// # Errors
/// Those of the disk.
pub(crate) fn pin(files: &Files, tenant: &str, video: &VideoId, known: &Known) -> io::Result<()> {
    let dir = files.make_video(video)?;
    dir.create_dir(PARTS)?;
    let pins = dir.open_dir(PARTS)?;
    for id in known.materials.videos.keys() {
        let (name, index) = pin_names(id);
        if let Some(from) = there(files.video(&VideoId::new(id.clone())))? {
            there(from.hard_link(SOURCE, &pins, name))?;
            // Without its index it is walked over instead.
            there(from.hard_link(SOURCE_INDEX, &pins, index))?;
        }
    }
    for row in &known.images {
        let Some(name) = image_name(row) else { continue };
        if let Some(from) = there(files.images(tenant))? {
            there(from.hard_link(&name, &pins, &name))?;
        }
    }
    crate::files::sync(&pins)?;
    crate::files::sync(&dir)
}

/// Adds what the catalogue does not know any more, but was pinned. Blocks.
///
/// # Errors
/// Those of the disk. What is pinned and cannot be read is left out.
pub(crate) fn complete(files: &Files, video: &VideoId, timeline: &Timeline, known: &mut Known) -> io::Result<()> {
    let Some(pins) = there(files.video(video).and_then(|dir| dir.open_dir(PARTS)))? else { return Ok(()) };
    for id in timeline.videos() {
        if known.materials.videos.contains_key(id) {
            continue;
        }
        let (name, index) = pin_names(id);
        let Some(part) = there(part::read(&pins, &name, &index))? else { continue };
        if let Some(facts) = facts(part.index, part.tracks) {
            known.materials.videos.insert(id.to_owned(), material(&facts));
        }
    }
    for id in timeline.images() {
        if known.materials.images.contains_key(id) {
            continue;
        }
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let Some(row) = pinned_image(&pins, id, format)? else { continue };
            known.add_image(row);
            break;
        }
    }
    Ok(())
}

/// An image's name in the folder of pins, which is its name among the tenant's images.
fn image_name(row: &ImageRow) -> Option<String> {
    let format = ImageFormat::of_extension(&row.format)?;
    Some(format!("{}.{}", row.id, format.extension()))
}

fn pinned_image(pins: &Dir, id: &str, format: ImageFormat) -> io::Result<Option<ImageRow>> {
    let Some(file) = there(pins.open(format!("{id}.{}", format.extension())))? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(image::MAX_BYTES as u64).read_to_end(&mut bytes)?;
    let row = |header: image::ImageHeader| ImageRow {
        id: id.to_owned(),
        format: format.extension().to_owned(),
        width: i64::from(header.width),
        height: i64::from(header.height),
        bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        created_at: 0,
    };
    Ok(image::header(&bytes).ok().map(row))
}

fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use reprise_lifecycle::question::GapRule;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::compose::{Composer, Piece, Request, drop_links};
    use crate::ffmpeg::tools::Tools;
    use crate::jobs::queue::{Claim, Queue};
    use crate::testkit::{World, recording};

    const CLAIM: Claim<'static> = Claim { tenant: "acme", priority: 6 };

    #[tokio::test]
    async fn a_production_has_its_materials_when_they_are_gone() {
        let world = World::new().await;
        world.tenant("acme").await;
        let mut life = world.broadcast("acme", "b1").await;
        let material = life.part(0).await;
        world.files.make_video(&material).unwrap().write(SOURCE, recording(10)).unwrap();
        let picture = [&b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x08\0\0\0\x04"[..], &[0; 9]].concat();
        world.files.write_image("acme", "i1.png", &picture).unwrap();
        let row = ImageRow { id: "i1".into(), format: "png".into(), width: 8, height: 4, bytes: 33, created_at: 0 };
        world.store.add_image("acme", &row, 9).await.unwrap();
        let timeline: Timeline = serde_json::from_value(serde_json::json!({
            "clips": [{ "material": { "video": material.as_str() } }, { "material": { "image": "i1" } },
                { "material": { "video": "never" } }],
        }))
        .unwrap();
        let known = Known::load(&world.store, "acme", &timeline).await.unwrap();
        let video = VideoId::new("e1");
        pin(&world.files, "acme", &video, &known).unwrap();

        std::fs::remove_dir_all(world.dir.path().join("media").join(material.as_str())).unwrap();
        world.files.remove_image("acme", "i1.png").unwrap();
        // What Known::load finds of nothing.
        let mut left = Known::default();
        complete(&world.files, &video, &timeline, &mut left).unwrap();
        assert_eq!(left.materials.images, known.materials.images);
        assert_eq!(left.materials.videos.keys().collect::<Vec<_>>(), [material.as_str()]);
        let (now, then) = (&left.materials.videos[material.as_str()], &known.materials.videos[material.as_str()]);
        let sides = |video: &super::super::layout::VideoMaterial| video.picture.map(|p| (p.width, p.height));
        assert_eq!((now.duration_ms, sides(now)), (then.duration_ms, sides(then)));

        let nowhere = std::path::PathBuf::from("/nonexistent");
        let tools = Tools { ffmpeg: nowhere.clone(), ffprobe: nowhere.clone(), helper: nowhere, strict: true };
        let composer = Composer::new(std::sync::Arc::clone(&world.files), tools, 1, Queue::new(1));
        let request = Request { pieces: vec![Piece::whole(material)], gaps: GapRule::Cut };
        composer.link(&video, &request).await.unwrap();
        let facts = composer.build(&video, CLAIM, &CancellationToken::new()).await.unwrap();
        assert_eq!(facts.duration_ms, 10_000);
        drop_links(&world.files, &video).unwrap();
        assert!(!world.files.video(&video).unwrap().exists(PARTS), "the pins go with the links");
    }
}
