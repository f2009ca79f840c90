use super::*;
use crate::net::bind_udp;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

fn pair(address: &str) -> (UdpSocket, UdpBatch, SocketAddr) {
    let socket = bind_udp(address.parse().unwrap()).unwrap();
    let local = socket.local_addr().unwrap();
    let batch = UdpBatch::new(&socket, local).unwrap();
    (socket, batch, local)
}

fn flush(batch: &mut UdpBatch, socket: &UdpSocket) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = batch.flush(socket) {
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

fn receive(batch: &mut UdpBatch, socket: &UdpSocket, want: usize) -> Vec<(SocketAddr, Bytes)> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut got = Vec::new();
    while got.len() < want {
        match batch.recv(socket, |from, data| got.push((from, data))) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        assert!(Instant::now() < deadline, "only {} of {want} came", got.len());
    }
    got
}

#[test]
fn runs_of_equal_length_arrive_as_the_datagrams_they_were() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (from, mut sender, from_addr) = pair(address);
        let (to, mut receiver, to_addr) = pair(address);
        // Equal lengths (a run for the offload), a shorter end, another length, then equal ones again.
        let lengths = [700, 700, 700, 699, 1200, 0, 0, 5, 5, 5, 5];
        let sent: Vec<Bytes> =
            lengths.iter().enumerate().map(|(at, length)| Bytes::from(vec![at as u8; *length])).collect();
        for data in &sent {
            sender.push(to_addr, data.clone());
        }
        flush(&mut sender, &from);
        let got = receive(&mut receiver, &to, sent.len());
        assert_eq!(got.iter().map(|(_, data)| data.clone()).collect::<Vec<_>>(), sent);
        assert!(got.iter().all(|(source, _)| *source == from_addr));
        assert_eq!(sender.stats().sent, sent.len() as u64);
        assert_eq!(receiver.stats().received, sent.len() as u64);
    }
}

#[test]
fn the_largest_datagram_passes_and_a_longer_one_is_dropped_and_counted() {
    let (from, mut sender, _) = pair("127.0.0.1:0");
    let (to, mut receiver, to_addr) = pair("127.0.0.1:0");
    sender.push(to_addr, Bytes::from(vec![7; RUN_BYTES + 1]));
    assert_eq!(sender.stats().dropped, 1);
    sender.push(to_addr, Bytes::from(vec![7; RUN_BYTES]));
    flush(&mut sender, &from);
    assert_eq!(receive(&mut receiver, &to, 1)[0].1.len(), RUN_BYTES);
}

#[test]
fn addresses_that_cannot_be_sent_to_are_dropped_before_the_system_sees_them() {
    let (_from, mut sender, _) = pair("127.0.0.1:0");
    for to in ["127.0.0.1:0", "0.0.0.0:5060", "[::1]:5060"] {
        sender.push(to.parse().unwrap(), Bytes::from_static(b"x"));
    }
    assert_eq!(sender.stats().dropped, 3);
    assert!(!sender.is_waiting());
}

#[test]
fn the_queue_has_a_limit() {
    let (_from, mut sender, local) = pair("127.0.0.1:0");
    for _ in 0..=QUEUE_COUNT {
        sender.push(local, Bytes::from_static(b"x"));
    }
    assert_eq!(sender.stats().dropped, 1, "the one beyond the limit");
    let (_from, mut sender, local) = pair("127.0.0.1:0");
    let large = Bytes::from(vec![0; 65_000]);
    let fit = QUEUE_BYTES / large.len();
    for _ in 0..fit + 1 {
        sender.push(local, large.clone());
    }
    assert_eq!(sender.stats().dropped, 1, "the one beyond the bytes");
}

#[test]
fn a_closed_peer_does_not_disturb_the_socket() {
    let (from, mut sender, from_addr) = pair("127.0.0.1:0");
    let gone = bind_udp("127.0.0.1:0".parse().unwrap()).unwrap().local_addr().unwrap();
    sender.push(gone, Bytes::from_static(b"into the void"));
    flush(&mut sender, &from);
    let (other, mut peer, _) = pair("127.0.0.1:0");
    peer.push(from_addr, Bytes::from_static(b"still here"));
    flush(&mut peer, &other);
    assert_eq!(&receive(&mut sender, &from, 1)[0].1[..], b"still here");
}
