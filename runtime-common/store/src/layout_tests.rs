use super::*;

#[test]
fn a_record_is_its_version_and_its_value() {
    assert_eq!(record_value(258, b"v"), [0, 0, 0, 0, 0, 0, 1, 2, b'v']);
    assert_eq!(split_record(&[0, 0, 0, 0, 0, 0, 1, 2, b'v']), Ok((258, Bytes::from_static(b"v"))));
    assert_eq!(split_record(&[0, 0, 0, 0, 0, 0, 0, 1]), Ok((1, Bytes::new())));
}

#[test]
fn a_record_without_a_version_is_damage() {
    assert_eq!(split_record(b""), Err(Damage));
    assert_eq!(split_record(&[0, 0, 0, 0, 0, 0, 1]), Err(Damage));
    assert_eq!(split_record(&[0, 0, 0, 0, 0, 0, 0, 0, b'v']), Err(Damage));
}

#[test]
fn keys_of_objects() {
    assert_eq!(object_key(b"ab"), [0, 2, b'a', b'b']);
    assert_eq!(piece_key(b"ab", 3), [0, 2, b'a', b'b', 0, 0, 0, 0, 0, 0, 0, 3]);
    assert_eq!(trailing_number(&piece_key(b"ab", 3)), Ok(3));
    assert_eq!(trailing_number(&length_value(7)), Ok(7));
    assert_eq!(trailing_number(b"short"), Err(Damage));
}

#[test]
fn no_object_lies_inside_another() {
    // The second name is the first one's piece key but for its length.
    let first = b"o".to_vec();
    let second = [b"o".as_slice(), &[0; 8]].concat();
    assert!(!piece_key(&second, 0).starts_with(&object_key(&first)));
    assert!(!piece_key(&first, 0).starts_with(&object_key(&second)));
}
