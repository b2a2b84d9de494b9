//! WebVTT thumbnails: one cue per picture, from its time to the next one's, whose text is where the picture is. Players
//! show it beside the pointer on the time line.

use super::plan::{CELL_PREFIX, Grid, SHEET_PREFIX, picture_name};
use super::settings::Captions;

/// The captions of pictures at `at_ms`, covering the whole of `duration_ms`. Names are relative to the captions' own
/// place.
pub fn captions(grid: &Grid, at_ms: &[u64], duration_ms: u64, form: Captions) -> String {
    let mut text = String::from("WEBVTT\n");
    for (index, at) in (0_u32..).zip(at_ms) {
        // The first picture stands for what is before it too, or the pointer would meet a hole there.
        let from = if index == 0 { 0 } else { *at };
        let to = at_ms.get(index as usize + 1).copied().unwrap_or(duration_ms.max(at + 1));
        let place = match form {
            Captions::Cells => picture_name(CELL_PREFIX, index + 1),
            Captions::Sheets => {
                let (sheet, (x, y)) = grid.place(index);
                let file = picture_name(SHEET_PREFIX, sheet + 1);
                format!("{file}#xywh={x},{y},{},{}", grid.cell_width, grid.cell_height)
            }
        };
        text.push_str(&format!("\n{} --> {}\n{place}\n", clock(from), clock(to)));
    }
    text
}

/// Hours, minutes, seconds and thousandths, as WebVTT writes them.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { columns: 2, lines: 1, padding: 1, margin: 2, cell_width: 80, cell_height: 60 };

    #[test]
    fn cues_follow_each_other_to_the_end() {
        assert_eq!(
            captions(&GRID, &[500, 2000, 3_601_000], 3_602_500, Captions::Sheets),
            "WEBVTT\n\n\
             00:00:00.000 --> 00:00:02.000\nsheet-00001.jpg#xywh=2,2,80,60\n\n\
             00:00:02.000 --> 01:00:01.000\nsheet-00001.jpg#xywh=83,2,80,60\n\n\
             01:00:01.000 --> 01:00:02.500\nsheet-00002.jpg#xywh=2,2,80,60\n"
        );
        assert_eq!(
            captions(&GRID, &[0], 0, Captions::Cells),
            "WEBVTT\n\n00:00:00.000 --> 00:00:00.001\ncell-00001.jpg\n"
        );
    }
}
