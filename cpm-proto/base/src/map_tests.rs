use super::*;

#[test]
fn behaves_like_a_map() {
    let mut map = SeededMap::new(HashSeed([1, 2]));
    assert_eq!(map.insert("a".to_owned(), 1), None);
    assert_eq!(map.insert("a".to_owned(), 2), Some(1));
    assert_eq!((map.get("a"), map.get("b"), map.contains_key("a")), (Some(&2), None, true));
    *map.get_or_insert_with("b".to_owned(), || 5) += 1;
    *map.get_or_insert_with("b".to_owned(), || 5) += 1;
    *map.get_mut("a").unwrap() += 10;
    assert_eq!((map.remove("b"), map.remove("b"), map.len()), (Some(7), None, 1));
    assert_eq!((map.remove("a"), map.is_empty()), (Some(12), true));
}

#[test]
fn the_seed_decides_the_hash() {
    let hash = |seed| HashSeed(seed).hash_one(0x1234_u64);
    assert_eq!(hash([1, 2]), hash([1, 2]));
    assert_ne!(hash([1, 2]), hash([1, 3]));
    assert_ne!(hash([1, 2]), hash([2, 2]));
    assert_eq!(format!("{:?}", HashSeed([1, 2])), "HashSeed", "the key is a secret");
}
