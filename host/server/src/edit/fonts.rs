//! Which installed font can draw a text.
//!
//! Families that editors name are rarely the ones that a server has, so the question is first which font has all the
//! letters, and only then which one is the most like what was asked for. Letters that no font has are a clear refusal:
//! ffmpeg would draw empty boxes and call it done.

use std::io::Read;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::timeline::Text;

/// Where systems keep fonts.
const FOLDERS: [&str; 2] = ["/usr/share/fonts", "/usr/local/share/fonts"];
/// Folders within folders; distributions have two or three.
const MAX_DEPTH: usize = 6;
/// A full desktop has some thousand; beyond that the search costs more than the drawing.
const MAX_FONTS: usize = 5000;
/// The largest font files hold all of Chinese, Japanese and Korean in 20 MiB.
const MAX_FONT_BYTES: u64 = 64 * 1024 * 1024;

/// Names of files that stand for families which editors offer.
const FAMILIES: [(&str, &str); 4] = [
    ("simsun", "simsun"),
    ("wenquanyizenhei", "wqy-zenhei"),
    ("yuantisc", "yuanti"),
    ("wenquanyimicrohei", "wqy-microhei"),
];
/// Fonts that look plain and have most letters, best first.
const PLAIN: [&str; 6] = ["notosanscjk", "notosans", "wqy", "dejavusans", "liberationsans", "freesans"];

/// Why a text cannot be drawn. The operator must install a font, or the author change the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FontError {
    #[error("the server has no fonts, so no text can be drawn; installing fonts-dejavu-core mends it")]
    NoFonts,
    #[error("no font of the server has the letter {letter:?} (U+{:04X}); installing fonts-noto-cjk may mend it", u32::from(*.letter))]
    NoLetter { letter: char },
}

/// The fonts of this machine, by their files. Reading their names again for every job takes some milliseconds, and a
/// font that an operator has just installed is there at once.
#[derive(Debug, Clone, Default)]
pub struct Fonts {
    files: Vec<PathBuf>,
}

impl Fonts {
    /// Looks at what is installed. Blocks.
    pub fn installed() -> Self {
        let mut fonts = Fonts::default();
        for folder in FOLDERS {
            if let Ok(dir) = Dir::open_ambient_dir(folder, ambient_authority()) {
                fonts.walk(&dir, Path::new(folder), 0);
            }
        }
        fonts.files.sort();
        fonts
    }

    fn walk(&mut self, dir: &Dir, at: &Path, depth: usize) {
        let Ok(entries) = dir.entries() else { return };
        for entry in entries.flatten() {
            let path = at.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < MAX_DEPTH {
                if let Ok(below) = entry.open_dir() {
                    self.walk(&below, &path, depth + 1);
                }
            } else if kind.is_file() && is_font(&path) && self.files.len() < MAX_FONTS {
                self.files.push(path);
            }
        }
    }

    /// The font for a text. Blocks.
    ///
    /// # Errors
    /// When there is none that has all of its letters.
    pub fn choose(&self, text: &Text) -> Result<PathBuf, FontError> {
        let mut ranked: Vec<&PathBuf> = self.files.iter().collect();
        ranked.sort_by_cached_key(|path| rank(path, text));
        let mut missing = None;
        for path in ranked {
            match lacks(path, &text.content) {
                Some(Lacks::Nothing) => return Ok(path.clone()),
                Some(Lacks::Letter(letter)) => {
                    missing.get_or_insert(letter);
                }
                None => {}
            }
        }
        Err(missing.map_or(FontError::NoFonts, |letter| FontError::NoLetter { letter }))
    }
}

enum Lacks {
    Nothing,
    Letter(char),
}

/// The first letter that a font file does not have; `None` if it is no font that can be read.
fn lacks(path: &Path, content: &str) -> Option<Lacks> {
    let (folder, name) = (path.parent()?, path.file_name()?);
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).ok()?;
    let mut bytes = Vec::new();
    dir.open(name).ok()?.take(MAX_FONT_BYTES).read_to_end(&mut bytes).ok()?;
    let face = ttf_parser::Face::parse(&bytes, 0).ok()?;
    let seen = |c: &char| !c.is_whitespace() && !c.is_control();
    let letter = content.chars().filter(seen).find(|c| face.glyph_index(*c).is_none());
    Some(letter.map_or(Lacks::Nothing, Lacks::Letter))
}

/// Whether this is a font's file whose path can stand in a filter.
fn is_font(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let known = ["ttf", "otf", "ttc"].iter().any(|kind| extension.eq_ignore_ascii_case(kind));
    known && path.to_str().is_some_and(crate::ffmpeg::edit::is_plain_path)
}

/// The lower, the more like what was asked for: family, weight and slant, plainness.
fn rank(path: &Path, text: &Text) -> (bool, u8, usize, usize) {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_ascii_lowercase();
    let bare = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let asked = bare(&text.font);
    let family = FAMILIES.iter().find(|(family, _)| asked.starts_with(family)).map_or(asked.as_str(), |(_, file)| file);
    let is_family = !family.is_empty() && bare(&name).starts_with(&bare(family));
    let bold = name.contains("bold");
    let italic = name.contains("italic") || name.contains("oblique");
    let odd = ["condensed", "light", "mono", "serif", "thin", "black"].iter().any(|odd| name.contains(odd));
    let style = u8::from(bold != text.bold) * 2 + u8::from(italic != text.italic) * 2 + u8::from(odd);
    let plain = PLAIN.iter().position(|plain| name.starts_with(plain)).unwrap_or(PLAIN.len());
    (!is_family, style, plain, name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::timeline::Length;

    fn text(content: &str, font: &str, bold: bool, italic: bool) -> Text {
        Text {
            content: content.to_owned(),
            x: Length::Pixels(0),
            y: Length::Pixels(0),
            font: font.to_owned(),
            size: 20,
            color: [255; 3],
            opacity_permille: 1000,
            bold,
            italic,
            span: None,
        }
    }

    #[test]
    fn the_font_that_is_most_like_what_was_asked_for_comes_first() {
        let files = [
            "/f/DejaVuSans-Bold.ttf",
            "/f/DejaVuSans-Oblique.ttf",
            "/f/DejaVuSans.ttf",
            "/f/DejaVuSansCondensed.ttf",
            "/f/DejaVuSerif.ttf",
            "/f/wqy-zenhei.ttc",
        ];
        let first = |text: &Text| {
            let mut ranked: Vec<&str> = files.to_vec();
            ranked.sort_by_key(|path| rank(Path::new(path), text));
            ranked[0].to_owned()
        };
        let table = [
            (text("a", "WenQuanYi Zen Hei Mono", false, false), "/f/wqy-zenhei.ttc"),
            (text("a", "DejaVu Sans", false, false), "/f/DejaVuSans.ttf"),
            (text("a", "DejaVu Sans", true, false), "/f/DejaVuSans-Bold.ttf"),
            (text("a", "DejaVu Serif", false, false), "/f/DejaVuSerif.ttf"),
            (text("a", "", false, true), "/f/DejaVuSans-Oblique.ttf"),
        ];
        for (text, expected) in table {
            assert_eq!(first(&text), expected, "{} {} {}", text.font, text.bold, text.italic);
        }
    }

    #[test]
    fn letters_that_no_font_has_are_refused() {
        assert_eq!(Fonts::default().choose(&text("a", "", false, false)), Err(FontError::NoFonts));
        let installed = Fonts::installed();
        assert!(!installed.files.is_empty(), "this test needs an installed font, such as fonts-dejavu-core");
        installed.choose(&text("Tor! 3:2\n100 %", "SimSun", true, false)).unwrap();
        // The last code point of a plane for private use: no font has it.
        let unknown = installed.choose(&text("a\u{10fffd}", "", false, false));
        assert_eq!(unknown, Err(FontError::NoLetter { letter: '\u{10fffd}' }));
    }

    #[test]
    fn only_paths_that_a_filter_takes_as_they_are() {
        for (path, good) in [
            ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", true),
            ("/f/A-B_c.1+2.OTF", true),
            ("/f/a b.ttf", false),
            ("/f/a:b.ttf", false),
            ("/f/a'b.ttf", false),
            ("/f/a.pfb", false),
            ("f/a.ttf", false),
        ] {
            assert_eq!(is_font(Path::new(path)), good, "{path}");
        }
    }
}
