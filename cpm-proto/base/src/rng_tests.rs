use super::*;

/// The block function of RFC 8439 §2.3, with a free number of rounds.
fn chacha(rounds: usize, key: &[u8; 32], counter: u32, nonce: [u32; 3]) -> [u32; 16] {
    let mut initial =
        [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574, 0, 0, 0, 0, 0, 0, 0, 0, counter, 0, 0, 0];
    for (word, bytes) in initial[4..12].iter_mut().zip(key.chunks_exact(4)) {
        *word = u32::from_le_bytes(bytes.try_into().unwrap());
    }
    initial[13..].copy_from_slice(&nonce);
    let mut s = initial;
    let mut quarter = |a: usize, b: usize, c: usize, d: usize| {
        for (x, y, z, turn) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
            s[x] = s[x].wrapping_add(s[y]);
            s[z] = (s[z] ^ s[x]).rotate_left(turn);
        }
    };
    for _ in 0..rounds / 2 {
        for i in 0..4 {
            quarter(i, i + 4, i + 8, i + 12);
        }
        for i in 0..4 {
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
    }
    std::array::from_fn(|i| s[i].wrapping_add(initial[i]))
}

#[test]
fn the_reference_agrees_with_rfc_8439_section_2_3_2() {
    let key = std::array::from_fn(|i| i as u8);
    let block = chacha(20, &key, 1, [0x0900_0000, 0x4a00_0000, 0]);
    assert_eq!(
        block,
        [
            0xe4e7_f110,
            0x1559_3bd1,
            0x1fdd_0f50,
            0xc471_20a3,
            0xc7f4_d1c7,
            0x0368_c033,
            0x9aaa_2204,
            0x4e6c_d4c3,
            0x4664_82d2,
            0x09aa_9f07,
            0x05d7_c214,
            0xa202_8bd9,
            0xd19c_12b5,
            0xb94e_16de,
            0xe883_d0cb,
            0x4e3c_50a2,
        ]
    );
}

#[test]
fn the_stream_is_chacha_with_twelve_rounds() {
    let seed = std::array::from_fn(|i| (i * 7) as u8);
    let mut rng = Rng::new(seed);
    for counter in 0..5 {
        let mut bytes = [0; 64];
        rng.fill(&mut bytes);
        let words = chacha(12, &seed, counter, [0; 3]);
        assert_eq!(bytes.to_vec(), words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>());
    }
}

#[test]
fn equal_seeds_give_equal_draws_and_children_differ() {
    let draw = |seed| {
        let mut rng = Rng::new(seed);
        (rng.next_u64(), rng.base32(20), rng.uuid(), rng.child_seed(), rng.child_seed())
    };
    assert_eq!(draw([1; 32]), draw([1; 32]));
    assert_ne!(draw([1; 32]).0, draw([2; 32]).0);
    let (_, _, _, first, second) = draw([1; 32]);
    assert_ne!(first, second);
    assert_eq!(format!("{:?}", Rng::new([1; 32])), "Rng", "the state is a secret");
}

#[test]
fn base32_has_the_length_asked_and_uses_every_letter() {
    let mut rng = Rng::new([3; 32]);
    for letters in [0, 1, 11, 12, 13, 24, 25] {
        let text = rng.base32(letters);
        assert_eq!(text.len(), letters);
        assert!(text.bytes().all(|letter| BASE32.contains(&letter)), "{text}");
    }
    let long = rng.base32(5_000);
    for letter in BASE32 {
        let seen = long.bytes().filter(|other| other == letter).count();
        assert!((90..230).contains(&seen), "{} came {seen} times of about 156", char::from(*letter));
    }
}

#[test]
fn a_uuid_has_the_form_of_rfc_4122_version_4() {
    let mut rng = Rng::new([4; 32]);
    for _ in 0..50 {
        let uuid = rng.uuid();
        let groups: Vec<&str> = uuid.split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
        assert!(uuid.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f' | b'-')), "{uuid}");
        assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
    }
}

#[test]
fn below_stays_below_and_reaches_both_ends() {
    let mut rng = Rng::new([5; 32]);
    assert_eq!((rng.below(0), rng.below(1)), (0, 0));
    let mut seen = [0u32; 6];
    for _ in 0..6_000 {
        seen[rng.below(6) as usize] += 1;
    }
    assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
    assert!(rng.below(u64::MAX) < u64::MAX);
}
