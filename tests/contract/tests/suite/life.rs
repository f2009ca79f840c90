//! How a shard starts and ends.

use super::*;
use crate::rt::{RunError, block_on};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn an_address_in_use_is_named() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let first = Shard::start(&[(transport, "127.0.0.1:0")], |_| {});
        let addr = first.addr(0).to_string();
        let free = (Transport::Udp, "127.0.0.1:0");
        let error = match Shard::try_start(&[free, (transport, &addr)], |_| {}) {
            Err(error) => error,
            Ok(_) => panic!("two listeners on {addr}"),
        };
        assert!(matches!(error, StartError::AddressInUse { addr: named, .. } if named == first.addr(0)));
        assert!(error.to_string().contains(&addr), "{error}");
        block_on(first.stop());
    }
}

#[test]
fn a_stopped_shard_frees_its_addresses_and_says_so() {
    let shard = Shard::start(&[(Transport::Udp, "127.0.0.1:0"), (Transport::Tcp, "127.0.0.1:0")], |_| {});
    let addr = shard.addr(0).to_string();
    assert_eq!(shard.addr(0), shard.addr(1), "port 0 is one port for both transports");
    let handle = shard.handle.clone();
    let open = TcpStream::connect(&addr).unwrap();
    block_on(async {
        shard.stop().await;
        handle.stop().await.expect("stopping twice is no error");
        handle.ended().await.unwrap();
        assert_eq!(handle.command(Command::Count(1)).await, Err(RunError::Stopped));
        assert_eq!(handle.inspect(|_, _| ()).await, Err(RunError::Stopped));
        while handle.next_event().await.is_some() {}
    });
    drop(open);
    let again = [(Transport::Udp, addr.as_str()), (Transport::Tcp, addr.as_str())];
    block_on(Shard::start(&again, |_| {}).stop());
}

#[test]
fn the_last_handle_takes_the_shard_with_it() {
    let shard = Shard::start(&[(Transport::Udp, "127.0.0.1:0")], |_| {});
    let addr = shard.addr(0);
    drop(shard);
    let deadline = std::time::Instant::now() + DEADLINE;
    while UdpSocket::bind(addr).is_err() {
        assert!(std::time::Instant::now() < deadline, "the shard lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_panic_ends_one_shard_and_no_other() {
    let doomed = Shard::start(&[(Transport::Udp, "127.0.0.1:0")], |_| {});
    let other = Shard::start(&[], |_| {});
    block_on(async {
        doomed.up().await;
        doomed.order(Command::Panic).await;
        assert_eq!(within(DEADLINE, doomed.handle.next_event()).await, None);
        assert_eq!(within(DEADLINE, doomed.handle.ended()).await, Err(RunError::Panicked));
        assert_eq!(doomed.handle.command(Command::Count(1)).await, Err(RunError::Panicked));
        assert_eq!(doomed.handle.inspect(|_, _| ()).await, Err(RunError::Panicked));
        assert_eq!(doomed.handle.stop().await, Err(RunError::Panicked));
        other.order(Command::Count(1)).await;
        assert_eq!(other.next().await, Note::Number(0));
        other.stop().await;
    });
    UdpSocket::bind(doomed.addr(0)).expect("the sockets are closed");
}

#[test]
fn a_shard_under_load_stops() {
    let shard = Shard::start(&[(Transport::Udp, "127.0.0.1:0"), (Transport::Tcp, "127.0.0.1:0")], |_| {});
    let (addr, busy, echoed) = (shard.addr(0), AtomicBool::new(true), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            while busy.load(Ordering::Relaxed) {
                for _ in 0..50 {
                    // Refused once the shard is gone.
                    let _after_the_end = socket.send_to(&[1; 300], addr);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(addr).unwrap();
                let mut back = [0; 1_000];
                while stream.write_all(&[2; 1_000]).is_ok() && stream.read_exact(&mut back).is_ok() {
                    echoed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while echoed.load(Ordering::Relaxed) < 50 {
            std::thread::sleep(Duration::from_millis(5));
        }
        block_on(shard.stop());
        busy.store(false, Ordering::Relaxed);
    });
}
