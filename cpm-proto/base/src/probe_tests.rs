use super::*;

#[test]
fn a_full_ring_loses_the_oldest_and_counts_it() {
    let mut ring = ProbeRing::new(2);
    for a in 0..3 {
        ring.push(ProbeKind::BadMessage, a, 0);
    }
    assert_eq!(ring.lost(), 1);
    assert_eq!(std::iter::from_fn(|| ring.pop()).map(|probe| probe.a).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_ring_without_room_is_off() {
    let mut ring = ProbeRing::new(0);
    ring.push(ProbeKind::BadMessage, 1, 0);
    assert_eq!((ring.pop(), ring.lost()), (None, 0));
}
