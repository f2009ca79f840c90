//! Datagrams.

use super::*;
use crate::rt::block_on;
use std::net::UdpSocket;

fn socket(addr: &str, to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(addr).unwrap();
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// Sends `count` datagrams of many sizes, a few at a time, and checks what comes back.
fn echo_many(socket: &UdpSocket, count: usize) {
    let size = |number: usize| 4 + (number * 37) % 1400;
    let mut buffer = vec![0; 65_536];
    let mut done = 0;
    while done < count {
        let burst = (count - done).min(16);
        for number in done..done + burst {
            let mut data = vec![number as u8; size(number)];
            data[..4].copy_from_slice(&(number as u32).to_be_bytes());
            socket.send(&data).unwrap();
        }
        let mut seen = vec![false; burst];
        for _ in 0..burst {
            let length = socket.recv(&mut buffer).unwrap();
            let number = u32::from_be_bytes(buffer[..4].try_into().unwrap()) as usize;
            assert_eq!(length, size(number));
            assert!(buffer[4..length].iter().all(|byte| *byte == number as u8));
            assert!(!std::mem::replace(&mut seen[number - done], true), "came twice");
        }
        done += burst;
    }
}

#[test]
fn many_datagrams_of_many_peers_come_back_whole() {
    for (bind, peer) in [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")] {
        let shard = Shard::start(&[(Transport::Udp, bind)], |_| {});
        let addr = shard.addr(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| echo_many(&socket(peer, addr), 1_000));
            }
        });
        block_on(async {
            let stats = shard.handle.inspect(|_, stats| stats).await.unwrap();
            assert_eq!((stats.udp.received, stats.udp.sent, stats.udp.dropped), (4_000, 4_000, 0));
            shard.stop().await;
        });
    }
}

#[test]
fn the_largest_datagram_and_the_empty_one_come_back() {
    let shard = Shard::start(&[(Transport::Udp, "127.0.0.1:0")], |_| {});
    let peer = socket("127.0.0.1:0", shard.addr(0));
    let mut buffer = vec![0; 65_536];
    for size in [65_507, 0, 1] {
        peer.send(&vec![9; size]).unwrap();
        assert_eq!(peer.recv(&mut buffer).unwrap(), size);
    }
    block_on(shard.stop());
}

#[test]
fn a_peer_that_went_away_does_not_disturb_the_others() {
    let shard = Shard::start(&[(Transport::Udp, "127.0.0.1:0")], |_| {});
    for _ in 0..50 {
        // The answer to this one meets a closed port.
        socket("127.0.0.1:0", shard.addr(0)).send(b"gone").unwrap();
    }
    echo_many(&socket("127.0.0.1:0", shard.addr(0)), 100);
    block_on(shard.stop());
}

#[test]
fn a_flow_on_the_wildcard_address_has_a_concrete_one() {
    let shard = Shard::start(&[(Transport::Udp, "0.0.0.0:0"), (Transport::Udp, "[::]:0")], |_| {});
    block_on(async {
        for index in 0..2 {
            let (_, info) = shard.up().await;
            assert_eq!(info.local.port(), shard.addr(index).port());
            assert!(!info.local.ip().is_unspecified());
            assert_eq!((info.transport, info.remote), (Transport::Udp, None));
        }
        let port = shard.addr(0).port();
        echo_many(&socket("127.0.0.1:0", SocketAddr::from(([127, 0, 0, 1], port))), 10);
        shard.stop().await;
    });
}
