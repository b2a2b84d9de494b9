//! WebVTT thumbnails as text: giving the pictures in them a signature of their own. It knows the one form in which our
//! captions name things: a line that is a file's name, perhaps with the rectangle of a picture in it.

use super::names::is_name;

/// `text` with `suffix` appended to each name of ours, before the rectangle.
pub(super) fn with_suffixes(text: &str, suffix: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        let (name, rectangle) = line.split_at(line.find('#').unwrap_or(line.len()));
        out.push_str(name);
        // Times and the header are no names of pictures.
        if is_name(name) && name.ends_with(".jpg") {
            out.push_str(&suffix(name));
        }
        out.push_str(rectangle);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_gets_its_own_suffix_before_the_rectangle() {
        let text = "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nsheet-00001.jpg#xywh=0,0,80,60\n\n\
                    00:00:01.000 --> 00:00:02.000\ncell-00002.jpg\n\n00:00:02.000 --> 00:00:03.000\n../x.jpg\n";
        let expected = text
            .replace("sheet-00001.jpg", "sheet-00001.jpg?k=sheet-00001.jpg")
            .replace("cell-00002.jpg", "cell-00002.jpg?k=cell-00002.jpg");
        assert_eq!(with_suffixes(text, |uri| format!("?k={uri}")), expected);
    }
}
