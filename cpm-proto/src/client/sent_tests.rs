use super::{Progress, Sent, SentMessage};

fn message() -> SentMessage {
    SentMessage { recipient: "sip:b@x".into(), reference: "r".into(), progress: Progress::Sent }
}

// test: CONV-IMDN-040
#[test]
fn progress_never_goes_back_and_never_repeats() {
    use Progress::{Delivered, Displayed, Failed};
    // (what arrives in this order, which of them count)
    let table = [
        (vec![Delivered, Displayed], vec![true, true]),
        (vec![Displayed, Delivered], vec![true, false]),
        (vec![Delivered, Delivered], vec![true, false]),
        (vec![Delivered, Failed], vec![true, false]),
        (vec![Failed, Delivered, Displayed], vec![true, true, true]),
        (vec![Failed, Failed], vec![true, false]),
    ];
    for (arrives, counts) in table {
        let mut sent = Sent::new(4);
        sent.insert("m", message());
        let got: Vec<bool> = arrives.iter().map(|progress| sent.advance("m", *progress)).collect();
        assert_eq!(got, counts, "{arrives:?}");
    }
}

// test: CONV-IMDN-061
#[test]
fn an_unknown_message_does_not_advance() {
    let mut sent = Sent::new(4);
    assert!(!sent.advance("m", Progress::Delivered));
    assert!(sent.get("m").is_none());
}

#[test]
fn the_oldest_makes_room_at_the_limit() {
    for (count, first_known) in [(2, true), (3, true), (4, false)] {
        let mut sent = Sent::new(3);
        for at in 0..count {
            sent.insert(&format!("m{at}"), message());
            sent.insert(&format!("m{at}"), message());
        }
        assert_eq!(sent.get("m0").is_some(), first_known, "{count} messages in a table for 3");
        assert_eq!(sent.order.len(), sent.entries.len());
    }
}
