use super::*;

#[test]
fn a_pause_doubles_up_to_a_second_and_ends_once() {
    let start = Instant::now();
    let mut pause = Pause::default();
    let mut waits = Vec::new();
    for _ in 0..7 {
        pause.begin(start);
        waits.push(pause.until().unwrap().duration_since(start).as_millis());
    }
    assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
    assert!(!pause.over(start + Duration::from_millis(999)));
    assert!(pause.over(start + Duration::from_secs(1)));
    assert!(!pause.over(start + Duration::from_secs(9)), "asked once");
    pause.clear();
    pause.begin(start);
    assert_eq!(pause.until(), Some(start + Duration::from_millis(50)), "a success forgets the shortage");
}

#[test]
fn reads_of_any_size_come_out_as_they_went_in() {
    let mut buffer = ReadBuffer::default();
    for size in [1, READ_BYTES / 4 - 1, READ_BYTES / 4, READ_BYTES] {
        let data: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        buffer.space()[..size].copy_from_slice(&data);
        assert_eq!(buffer.take(size), data);
        assert_eq!(buffer.space().len(), READ_BYTES);
    }
}
