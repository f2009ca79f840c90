use super::*;
use bytes::Bytes;
use cpm_base::Transport;
use cpm_sip::register::Binding;

fn envelope() -> Envelope {
    Envelope {
        sender: "sip:alice@example.test".into(),
        to: "sip:bob@example.test".into(),
        private: true,
        message_id: "m1".into(),
        service: "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg".into(),
        headers: vec![("Conversation-ID".into(), "c".into()), ("Subject".into(), String::new())],
        content_type: "message/cpim".into(),
        body: Bytes::from_static(b"From: <sip:a@b>\r\n\r\n\0\xff"),
        wanted: Wanted { positive: true, negative: false, display: true },
        hops: 69,
    }
}

fn deferred() -> DeferredRecord {
    DeferredRecord {
        envelope: envelope(),
        notification: Some(("m0".into(), Notification::Displayed)),
        arrival: 1_700_000_000_123,
        expires: 1_700_000_100_123,
        attempts: 3,
        refusals: 1,
    }
}

/// SHA-256 of the eight-byte length 3 and "abc", computed with an independent implementation.
#[test]
fn owner_is_the_prefix_of_a_known_hash() {
    let known = 0xc349_4ca1_a2cf_8eeb_8a11_ded3_16fb_55b8_u128.to_be_bytes();
    assert_eq!(hash128(&[b"abc"]), known);
    let owner = Owner::of("abc");
    let key = key(owner, Kind::Defer, &[9]);
    assert_eq!(key.len(), 2 + 16 + 1 + 1);
    assert_eq!(&key[2..18], &hash128(&[b"abc"]));
    assert_eq!(u16::from_be_bytes([key[0], key[1]]), u16::from_be_bytes([key[2], key[3]]) >> 4);
    assert!(owner.bucket() < 4096);
    assert_eq!(split_key(&key), Some((owner, Kind::Defer, &[9u8][..])));
}

#[test]
fn parts_are_framed_so_that_moving_a_letter_changes_the_hash() {
    assert_ne!(MessageKey::of("ab", "c"), MessageKey::of("a", "bc"));
    assert_ne!(MessageKey::of("a", "b"), MessageKey::of("b", "a"));
}

#[test]
fn deferred_keys_sort_by_arrival() {
    let owner = Owner::of("x");
    assert!(deferred_key(owner, 255) < deferred_key(owner, 256));
    assert!(deferred_key(owner, 1) < deferred_key(owner, u64::MAX));
}

#[test]
fn foreign_and_short_keys_are_not_ours() {
    assert_eq!(split_key(b""), None);
    assert_eq!(split_key(&[0; 18]), None);
    assert_eq!(split_key(&[0; 19]), None);
}

#[test]
fn records_survive_the_store() {
    for source in ["192.0.2.1:5060", "[2001:db8::1]:5061"] {
        let binding = Binding {
            uri: "sip:bob@192.0.2.1".into(),
            params: ";+sip.instance=\"<urn:uuid:1>\"".into(),
            instance: Some("urn:uuid:1".into()),
            reg_id: None,
            q: Some(500),
            call_id: "c@h".into(),
            cseq: u32::MAX,
            expires_at: 1_700_000_000,
        };
        let binding = BindingRecord { binding, transport: Transport::Tcp, remote: source.parse().unwrap() };
        assert_eq!(BindingRecord::decode(&binding.encode()), Some(binding));
    }
    let content = ContentKey::of("a", "b", b"c");
    let seen =
        SeenRecord { status: 202, queued: true, delivered: false, displayed: true, content, expires: 77 };
    assert_eq!(SeenRecord::decode(&seen.encode()), Some(seen));
    let hidden = HiddenRecord { sender: Owner::of("x"), expires: 7 };
    assert_eq!(HiddenRecord::decode(&hidden.encode()), Some(hidden));
    assert_eq!(DeferredRecord::decode(&deferred().encode()), Some(deferred()));
    let message = DeferredRecord { notification: None, ..deferred() };
    assert_eq!(DeferredRecord::decode(&message.encode()), Some(message));
}

#[test]
fn damaged_records_are_refused_at_every_cut() {
    let whole = deferred().encode();
    for cut in 0..whole.len() {
        assert_eq!(DeferredRecord::decode(&whole.slice(..cut)), None, "cut at {cut}");
    }
    let mut longer = whole.to_vec();
    longer.push(0);
    assert_eq!(DeferredRecord::decode(&Bytes::from(longer)), None);
    let mut newer = whole.to_vec();
    newer[0] = 2;
    assert_eq!(DeferredRecord::decode(&Bytes::from(newer)), None);
}

#[test]
fn a_length_beyond_the_value_is_refused_without_allocating() {
    let value = Bytes::from_static(&[1, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(BindingRecord::decode(&value), None);
}
