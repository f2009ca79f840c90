use super::*;

#[test]
fn a_stale_handle_finds_nothing_and_never_another_object() {
    let mut arena = Arena::new();
    let first = arena.insert("first");
    assert_eq!(arena.remove(first), Some("first"));
    let second = arena.insert("second"); // takes the same slot
    assert_ne!(first, second);
    assert_eq!((arena.get(first), arena.contains(first)), (None, false));
    assert_eq!(arena.remove(first), None);
    assert!(arena.get_mut(first).is_none());
    assert_eq!(arena.get(second), Some(&"second"));
    assert_eq!(arena.len(), 1);
}

#[test]
fn a_handle_survives_the_way_through_a_token() {
    let mut arena = Arena::new();
    let handle = arena.insert(7);
    assert_eq!(Handle::of_token(handle.token()), handle);
    for forged in [0, 1, u64::MAX, handle.token().0 ^ (1 << 32), handle.token().0 + 1] {
        assert_eq!(arena.get(Handle::of_token(Token(forged))), None, "{forged:x}");
    }
}

#[test]
fn walks_are_in_slot_order() {
    let mut arena = Arena::new();
    let handles: Vec<_> = (0..4).map(|value| arena.insert(value)).collect();
    arena.remove(handles[1]);
    for (_, value) in arena.iter_mut() {
        *value *= 10;
    }
    assert_eq!(arena.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0, 20, 30]);
    let again = arena.insert(99);
    assert_eq!(arena.iter().map(|(handle, _)| handle).nth(1), Some(again), "the free slot is used first");
}

#[test]
fn a_side_table_tells_the_objects_of_a_slot_apart() {
    let mut arena = Arena::new();
    let mut side = Side::new();
    let first = arena.insert(());
    assert_eq!(side.insert(first, 'a'), None);
    assert_eq!(side.insert(first, 'b'), Some('a'));
    arena.remove(first);
    let second = arena.insert(()); // takes the same slot
    assert_eq!(side.get(second), None, "what hung on the old object does not hang on the new one");
    side.insert(second, 'c');
    assert_eq!((side.get(first), side.get(second), side.len()), (Some(&'b'), Some(&'c'), 2));
    assert_eq!(side.get_mut(second).map(|value| std::mem::replace(value, 'd')), Some('c'));
    assert_eq!(side.get_mut(first).map(|value| std::mem::replace(value, 'e')), Some('b'));
    assert_eq!((side.remove(first), side.remove(first), side.len()), (Some('e'), None, 1));
    assert_eq!((side.remove(second), side.is_empty(), side.get(second)), (Some('d'), true, None));
    let far: Vec<_> = (0..5).map(|_| arena.insert(())).collect();
    assert_eq!(side.get(far[4]), None);
    assert_eq!(side.remove(far[4]), None);
    assert_eq!(side.insert(far[4], 'f'), None);
}
