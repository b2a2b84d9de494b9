use super::*;

/// A source of pictures that are unlike each other: xorshift, so that a failure comes again.
struct Scenes(u64);

impl Scenes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn picture(&mut self) -> Picture {
        Picture { confidence: 60, elements: (0..ELEMENTS).map(|_| (self.next() % 3) as u8).collect() }
    }

    fn pictures(&mut self, count: usize) -> Vec<Picture> {
        (0..count).map(|_| self.picture()).collect()
    }

    /// The pictures as another encoder shows them: one element in `one_in` is one step off.
    fn encoded_again(&mut self, pictures: &[Picture], one_in: u64) -> Vec<Picture> {
        let mut again = pictures.to_vec();
        for element in again.iter_mut().flat_map(|picture| &mut picture.elements) {
            if self.next().is_multiple_of(one_in) {
                *element = if *element == 1 { 2 } else { 1 };
            }
        }
        again
    }
}

#[derive(Clone)]
struct Picture {
    confidence: u8,
    elements: Vec<u8>,
}

fn black() -> Picture {
    Picture { confidence: 0, elements: vec![1; ELEMENTS] }
}

/// Bits as the filter writes them.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, count: u32, value: u32) {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at));
        self.0.chunks(8).map(byte).collect()
    }
}

/// A file of `pictures` at five a second that claims to hold `count`.
fn file(pictures: &[Picture], count: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    for (width, value) in [(32, 1), (1, 1), (32, 0), (16, 319), (16, 179), (32, 0), (32, count), (16, 5)] {
        bits.put(width, value);
    }
    let segments = (pictures.len() as u32).div_ceil(45);
    for (width, value) in [(1, 1), (32, 0), (32, count), (32, segments)] {
        bits.put(width, value);
    }
    for _ in 0..segments {
        for (width, value) in [(32, 0), (32, 44), (1, 1), (32, 0), (32, 44)] {
            bits.put(width, value);
        }
        bits.0.extend([true; 5 * 243]);
    }
    bits.put(1, 0);
    for (at, picture) in pictures.iter().enumerate() {
        bits.put(1, 1);
        bits.put(32, at as u32);
        bits.put(8, u32::from(picture.confidence));
        bits.0.extend([false; 40]);
        for group in picture.elements.chunks(5) {
            bits.put(8, group.iter().rev().fold(0, |digits, element| digits * 3 + u32::from(*element)));
        }
    }
    bits.bytes()
}

fn signature(pictures: &[Picture]) -> Signature {
    Signature::read(&file(pictures, pictures.len() as u32)).unwrap()
}

fn stretch(from_ms: u64, other_from_ms: u64, duration_ms: u64) -> SharedStretch {
    SharedStretch { from_ms, other_from_ms, duration_ms }
}

#[test]
fn the_distance_is_that_of_the_elements() {
    let mut scenes = Scenes(1);
    let (one, other) = (scenes.picture(), scenes.picture());
    let expected: u32 = one.elements.iter().zip(&other.elements).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    let read = signature(&[one, other]);
    assert_eq!(read.frames[0].distance(&read.frames[1], MOST_DISTANCE), Some(expected));
    assert_eq!(read.frames[0].distance(&read.frames[1], expected - 1), None);
    assert_eq!(read.frames[0].distance(&read.frames[0], 0), Some(0));
    assert_eq!((read.len(), read.at_ms(1)), (2, 200));
}

#[test]
fn a_clip_is_found_where_it_is() {
    let mut scenes = Scenes(7);
    let clip = scenes.pictures(50);
    let again = scenes.encoded_again(&clip, 10);
    let long = [scenes.pictures(133), again, scenes.pictures(40)].concat();
    let (clip, long) = (signature(&clip), signature(&long));
    let found = clip.duplicates(&long).unwrap();
    assert_eq!(found.stretches, [stretch(0, 26_600, 10_000)]);
    assert!((900..1000).contains(&found.similarity_permille), "{found:?}");
    let turned = long.duplicates(&clip).unwrap();
    assert_eq!(turned.stretches, [stretch(26_600, 0, 10_000)]);
    assert_eq!(turned.similarity_permille, found.similarity_permille);
}

#[test]
fn a_video_is_its_own_duplicate() {
    let video = signature(&Scenes(3).pictures(60));
    let found = video.duplicates(&video).unwrap();
    assert_eq!(found, Duplicates { similarity_permille: 1000, stretches: vec![stretch(0, 0, 12_000)] });
}

#[test]
fn unrelated_short_and_plain_pictures_are_no_duplicates() {
    let mut scenes = Scenes(11);
    let clip = scenes.pictures(100);
    let ident = clip[20..35].to_vec();
    let dark = [scenes.pictures(20), vec![black(); 100], scenes.pictures(20)].concat();
    let also_dark = [scenes.pictures(30), vec![black(); 100]].concat();
    let cases = [
        ("unrelated", clip.clone(), scenes.pictures(200)),
        ("an ident of three seconds", clip.clone(), [scenes.pictures(50), ident, scenes.pictures(50)].concat()),
        ("black is like any black", dark, also_dark),
        ("nothing", Vec::new(), clip.clone()),
    ];
    for (name, one, other) in cases {
        assert_eq!(signature(&one).duplicates(&signature(&other)), None, "{name}");
    }
    let other_pace = Signature { pace: 4, ..signature(&clip) };
    assert_eq!(signature(&clip).duplicates(&other_pace), None);
}

#[test]
fn breaks_repetitions_and_cuts() {
    let mut scenes = Scenes(23);
    let clip = scenes.pictures(100);
    let mut spoilt = clip.clone();
    for place in [40, 41, 42, 43, 44, 70] {
        spoilt[place] = scenes.picture();
    }
    let mut darkened = clip.clone();
    for picture in &mut darkened[40..60] {
        *picture = black();
    }
    let twice = [clip.clone(), scenes.pictures(25), clip.clone()].concat();
    let cut = [clip[..40].to_vec(), scenes.pictures(50), clip[60..].to_vec()].concat();
    let frozen = vec![scenes.picture(); 100];
    let cases = [
        ("a second is spoilt", spoilt, vec![stretch(0, 0, 20_000)]),
        ("both are black for a while", darkened.clone(), vec![stretch(0, 0, 8_000), stretch(12_000, 12_000, 8_000)]),
        ("it is there twice", twice, vec![stretch(0, 0, 20_000), stretch(0, 25_000, 20_000)]),
        ("its middle is gone", cut, vec![stretch(0, 0, 8_000), stretch(12_000, 18_000, 8_000)]),
    ];
    for (name, other, expected) in cases {
        let found = signature(&clip).duplicates(&signature(&other)).unwrap();
        assert_eq!(found.stretches, expected, "{name}");
    }
    let found = signature(&darkened).duplicates(&signature(&darkened)).unwrap();
    assert_eq!(found.stretches, [stretch(0, 0, 20_000)], "black on both sides ends nothing");
    let found = signature(&frozen).duplicates(&signature(&frozen)).unwrap();
    assert_eq!(found.stretches, [stretch(0, 0, 20_000)], "a still picture is one stretch");
}

#[test]
fn spoilt_files_are_refused() {
    let pictures = Scenes(5).pictures(3);
    let good = file(&pictures, 3);
    for length in 0..good.len() {
        assert_eq!(Signature::read(&good[..length]), Err(SignatureError::Short), "{length} bytes");
    }
    assert_eq!(Signature::read(&file(&pictures, 4)), Err(SignatureError::Short));
    assert_eq!(Signature::read(&file(&pictures, u32::MAX)), Err(SignatureError::TooLong(u32::MAX)));
    let spoilt = |change: fn(&mut Vec<Picture>)| {
        let mut pictures = pictures.clone();
        change(&mut pictures);
        Signature::read(&file(&pictures, 3))
    };
    assert_eq!(
        spoilt(|pictures| pictures[1].elements[..5].copy_from_slice(&[0, 0, 0, 0, 3])),
        Err(SignatureError::Element)
    );
    let mut regions = good.clone();
    regions[3] = 2;
    assert_eq!(Signature::read(&regions), Err(SignatureError::Unsupported("choice of regions")));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000)) {
        let _ = Signature::read(&bytes);
        // The same behind a header that is believed.
        let mut file = file(&[], 2);
        file.extend(bytes);
        let _ = Signature::read(&file);
    }
}
