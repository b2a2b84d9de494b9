use proptest::prelude::*;

use super::*;

fn decode(body: &[u8]) -> Result<Vec<Value>, Error> {
    decode_all(body, Limits::default())
}

fn named(properties: &[(&str, Value)]) -> Properties {
    properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

#[test]
fn every_marker_by_its_bytes() {
    let text = |text: &str| Value::String(text.to_owned());
    let cases: &[(&[u8], Value)] = &[
        (&[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], Value::Number(1.0)),
        (&[1, 0], Value::Boolean(false)),
        (&[1, 7], Value::Boolean(true)),
        (b"\x02\x00\x02hi", text("hi")),
        (b"\x02\x00\x00", text("")),
        (b"\x02\x00\x02\xff!", text("\u{fffd}!")),
        (b"\x0c\x00\x00\x00\x01x", text("x")),
        (b"\x0f\x00\x00\x00\x04<a/>", text("<a/>")),
        (&[5], Value::Null),
        (&[6], Value::Undefined),
        (&[7, 0, 1], Value::Undefined),
        (&[13], Value::Undefined),
        (&[11, 0x40, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Value::Date(2.0)),
        (b"\x03\x00\x01a\x05\x00\x00\x09", Value::Object(named(&[("a", Value::Null)]))),
        (b"\x10\x00\x02Cl\x00\x01a\x05\x00\x00\x09", Value::Object(named(&[("a", Value::Null)]))),
        (b"\x08\x00\x00\x00\x00\x00\x01a\x06\x00\x00\x09", Value::EcmaArray(named(&[("a", Value::Undefined)]))),
        (b"\x0a\x00\x00\x00\x02\x05\x06", Value::StrictArray(vec![Value::Null, Value::Undefined])),
        (b"\x03\x00\x00\x09", Value::Object(Vec::new())),
        (b"\x03\x00\x00\x05\x00\x00\x09", Value::Object(named(&[("", Value::Null)]))),
    ];
    for (bytes, want) in cases {
        assert_eq!(decode(bytes).as_deref(), Ok(std::slice::from_ref(want)), "{bytes:?}");
    }
}

#[test]
fn an_ecma_array_may_end_with_its_body() {
    let body = b"\x08\x00\x00\x00\x01\x00\x01a\x05";
    assert_eq!(decode(body), Ok(vec![Value::EcmaArray(named(&[("a", Value::Null)]))]));
    let object = b"\x03\x00\x01a\x05";
    assert_eq!(decode(object), Err(Error::Truncated));
}

#[test]
fn what_is_reserved_or_amf3_is_an_error() {
    for kind in [4, 9, 14, 17, 18, 127, 255] {
        assert_eq!(decode(&[kind, 0, 0, 0, 0]), Err(Error::Marker(kind)));
    }
}

#[test]
fn declared_counts_reserve_nothing() {
    // Five bytes that ask other decoders for hundreds of gigabytes.
    for count in [u32::MAX, u32::MAX / 2, 1 << 24, 2] {
        let [a, b, c, d] = count.to_be_bytes();
        assert_eq!(decode(&[10, a, b, c, d]), Err(Error::Truncated));
        assert_eq!(decode(&[8, a, b, c, d]), Ok(vec![Value::EcmaArray(Vec::new())]));
        assert_eq!(decode(&[12, a, b, c, d]), Err(Error::Truncated));
    }
}

#[test]
fn depth_is_bounded_for_every_container() {
    let deep = |open: &[u8], times: usize| -> Vec<u8> { [&open.repeat(times)[..], &[5]].concat() };
    for open in [&b"\x03\x00\x01a"[..], &b"\x08\x00\x00\x00\x01\x00\x01a"[..], &b"\x0a\x00\x00\x00\x01"[..]] {
        for times in [17, 18, 4_250, 12_000, 100_000] {
            assert_eq!(decode(&deep(open, times)), Err(Error::TooDeep(16)), "{times}");
        }
        assert_ne!(decode(&deep(open, 16)), Err(Error::TooDeep(16)));
    }
}

#[test]
fn sixteen_levels_are_fine() {
    let mut value = Value::Null;
    for level in 0..16 {
        value = match level % 3 {
            0 => Value::Object(named(&[("a", value)])),
            1 => Value::EcmaArray(named(&[("b", value)])),
            _ => Value::StrictArray(vec![value]),
        };
    }
    let mut body = Vec::new();
    encode(&value, &mut body);
    assert_eq!(decode(&body), Ok(vec![value]));
}

#[test]
fn properties_and_names_are_bounded() {
    let many = |count: usize| {
        let mut body = vec![3];
        body.extend(b"\x00\x01a\x05".repeat(count));
        body.extend([0, 0, 9]);
        body
    };
    // The object itself counts too.
    assert!(decode(&many(255)).is_ok());
    assert_eq!(decode(&many(256)), Err(Error::TooManyProperties(256)));
    assert_eq!(decode(&[5; 257]), Err(Error::TooManyProperties(256)));
    let long_name = |length: usize| {
        let mut body = vec![3];
        encode_key(&"n".repeat(length), &mut body);
        body.extend([5, 0, 0, 9]);
        body
    };
    assert!(decode(&long_name(255)).is_ok());
    assert_eq!(decode(&long_name(256)), Err(Error::NameTooLong(255)));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>().prop_filter("equality", |n| !n.is_nan()).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
        (0.0..1e15).prop_map(Value::Date),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let properties = prop::collection::vec(("[a-z]{1,8}", inner.clone()), 0..6);
        prop_oneof![
            properties.clone().prop_map(Value::Object),
            properties.prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(values in prop::collection::vec(any_value(), 0..4)) {
        let mut body = Vec::new();
        for value in &values {
            encode(value, &mut body);
        }
        let wide = Limits { properties: 10_000, ..Limits::default() };
        prop_assert_eq!(decode_all(&body, wide), Ok(values));
    }

    #[test]
    fn a_cut_value_is_an_error_or_one_shorter_value(value in any_value(), cut in any::<prop::sample::Index>()) {
        let mut body = Vec::new();
        encode(&value, &mut body);
        if let Ok(values) = decode(body.get(..cut.index(body.len())).unwrap()) {
            prop_assert!(values.len() <= 1);
        }
    }

    #[test]
    fn any_bytes_end_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&body);
    }
}
