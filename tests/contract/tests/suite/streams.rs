//! TCP: bytes both ways, back-pressure, and every way in which a connection begins and ends.

use super::*;
use crate::rt::block_on;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Byte number `at` of the test stream.
fn byte(at: usize) -> u8 {
    ((at * 31) ^ (at >> 8) ^ (at >> 16)) as u8
}

/// Writes `total` bytes in pieces of changing size, then ends its side if asked to.
fn write_all(mut stream: &TcpStream, total: usize) {
    let mut at = 0;
    let mut size = 1;
    while at < total {
        size = (size * 7 + 3) % 70_000 + 1;
        let end = (at + size).min(total);
        let piece: Vec<u8> = (at..end).map(byte).collect();
        stream.write_all(&piece).unwrap();
        at = end;
    }
}

/// Reads `total` bytes and checks each; `rest` between reads.
fn read_all(mut stream: &TcpStream, total: usize, rest: Duration) {
    let mut buffer = vec![0; 50_000];
    let mut at = 0;
    while at < total {
        let got = stream.read(&mut buffer).unwrap();
        assert_ne!(got, 0, "ended after {at} of {total} bytes");
        for (offset, value) in buffer[..got].iter().enumerate() {
            assert_eq!(*value, byte(at + offset), "byte {}", at + offset);
        }
        at += got;
        std::thread::sleep(rest);
    }
}

fn is_closed(mut stream: &TcpStream) -> bool {
    let mut one = [0; 1];
    match stream.read(&mut one) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    }
}

#[test]
fn large_streams_pass_both_ways_at_once() {
    const TOTAL: usize = 8 << 20;
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        let shard = Shard::start(&[(Transport::Tcp, addr)], |_| {});
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let stream = connect(shard.addr(0));
                    std::thread::scope(|both| {
                        both.spawn(|| write_all(&stream, TOTAL));
                        both.spawn(|| read_all(&stream, TOTAL, Duration::ZERO));
                    });
                });
            }
        });
        block_on(shard.stop());
    }
}

#[test]
fn a_peer_that_does_not_read_is_not_read() {
    const TOTAL: usize = 32 << 20;
    let shard = Shard::start(&[(Transport::Tcp, "127.0.0.1:0")], |_| {});
    let stream = connect(shard.addr(0));
    let small = socket2::SockRef::from(&stream);
    small.set_recv_buffer_size(64 << 10).unwrap();
    // What fits in the buffers of both kernels and of the machine is taken, then writing blocks.
    stream.set_nonblocking(true).unwrap();
    let mut written = 0;
    let mut blocked = 0;
    while written < TOTAL && blocked < 20 {
        let piece: Vec<u8> = (written..(written + 65_536).min(TOTAL)).map(byte).collect();
        match (&stream).write(&piece) {
            Ok(bytes) => (written, blocked) = (written + bytes, 0),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                blocked += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    assert!(written < TOTAL, "the shard took {TOTAL} bytes nobody read");
    block_on(async {
        let stats = shard.handle.inspect(|_, stats| stats).await.unwrap();
        assert_eq!(stats.shell.overflowed, 0);
    });
    // A slow reader still gets every byte.
    stream.set_nonblocking(false).unwrap();
    read_all(&stream, written, Duration::from_millis(1));
    block_on(shard.stop());
}

#[test]
fn a_peer_that_ends_its_side_gets_the_rest() {
    const TOTAL: usize = 2 << 20;
    let shard = Shard::start(&[(Transport::Tcp, "127.0.0.1:0")], |_| {});
    let stream = connect(shard.addr(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            write_all(&stream, TOTAL);
            stream.shutdown(Shutdown::Write).unwrap();
        });
        read_all(&stream, TOTAL, Duration::ZERO);
        assert!(is_closed(&stream));
    });
    block_on(async {
        let (flow, info) = shard.up().await;
        assert_eq!(info.remote, Some(stream.local_addr().unwrap()));
        assert_eq!(info.local, shard.addr(0));
        assert!(info.accepted);
        assert_eq!(shard.down().await, (flow, FlowDown::Closed));
        shard.stop().await;
    });
}

#[test]
fn what_was_sent_before_a_close_arrives_although_the_peer_still_sends() {
    let shard = Shard::start(&[(Transport::Tcp, "127.0.0.1:0")], |_| {});
    let stream = connect(shard.addr(0));
    (&stream).write_all(b"?").unwrap();
    block_on(async {
        let (flow, _) = shard.up().await;
        let last = bytes::Bytes::from(vec![b'x'; 600_000]);
        shard.order(Command::Send(flow, last)).await;
        shard.order(Command::Close(flow)).await;
        assert_eq!(shard.down().await, (flow, FlowDown::Local));
    });
    let mut got = Vec::new();
    for _ in 0..50 {
        // Unread by the shard; must not turn the end into a reset.
        if (&stream).write(&[b'!'; 1_000]).is_err() {
            break;
        }
    }
    (&stream).read_to_end(&mut got).unwrap();
    assert_eq!(got.iter().filter(|byte| **byte == b'x').count(), 600_000);
    drop(stream);
    block_on(shard.stop());
}

#[test]
fn connects_come_up_and_carry_bytes() {
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(addr).unwrap();
        let shard = Shard::start(&[], |_| {});
        block_on(async {
            shard.order(Command::Open(listener.local_addr().unwrap())).await;
            let (mut peer, from) = listener.accept().unwrap();
            let (flow, info) = shard.up().await;
            assert_eq!(info.local, from, "the local address is the one the peer sees");
            assert_eq!(info.remote, Some(listener.local_addr().unwrap()));
            assert!(!info.accepted);
            peer.write_all(b"hello").unwrap();
            let mut back = [0; 5];
            peer.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"hello");
            drop(peer);
            assert_eq!(shard.down().await, (flow, FlowDown::Closed));
            shard.stop().await;
        });
    }
}

#[test]
fn a_refused_connect_is_told() {
    let shard = Shard::start(&[], |_| {});
    block_on(async {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            // Bound but not listening: refused, and nobody else can take the port.
            let addr: SocketAddr = addr.parse().unwrap();
            let bound = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
            bound.bind(&addr.into()).unwrap();
            let addr = bound.local_addr().unwrap().as_socket().unwrap();
            shard.order(Command::Open(addr)).await;
            assert_eq!(shard.next().await, Note::OpenFailed(FlowDown::Refused));
        }
        shard.stop().await;
    });
}

#[test]
fn a_connect_without_an_answer_times_out() {
    // A full accept queue answers nothing.
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    silent.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    silent.listen(0).unwrap();
    let addr = silent.local_addr().unwrap().as_socket().unwrap();
    let mut fill = Vec::new();
    for _ in 0..8 {
        match TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
            Ok(stream) => fill.push(stream),
            Err(_) => break,
        }
    }
    let shard = Shard::start(&[], |limits| limits.connect = Duration::from_millis(300));
    block_on(async {
        shard.order(Command::Open(addr)).await;
        assert_eq!(shard.next().await, Note::OpenFailed(FlowDown::TimedOut));
        let streams = shard.handle.inspect(|_, stats| stats.streams).await.unwrap();
        assert_eq!(streams, 0, "the socket of the attempt is gone");
        shard.stop().await;
    });
}

#[test]
fn silent_and_idle_peers_are_closed() {
    let shard = Shard::start(&[(Transport::Tcp, "127.0.0.1:0")], |limits| {
        limits.first_byte = Duration::from_millis(200);
        limits.idle = Duration::from_millis(600);
    });
    let silent = connect(shard.addr(0));
    assert!(is_closed(&silent));
    let idle = connect(shard.addr(0));
    (&idle).write_all(b"x").unwrap();
    let mut back = [0; 1];
    (&idle).read_exact(&mut back).unwrap();
    assert!(is_closed(&idle));
    block_on(async {
        let (first, _) = shard.up().await;
        assert_eq!(shard.down().await, (first, FlowDown::TimedOut));
        let (second, _) = shard.up().await;
        assert_eq!(shard.down().await, (second, FlowDown::Idle));
        shard.stop().await;
    });
}

#[test]
fn a_reset_is_told() {
    let shard = Shard::start(&[(Transport::Tcp, "127.0.0.1:0")], |_| {});
    block_on(async {
        let stream = connect(shard.addr(0));
        let (flow, _) = shard.up().await;
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(stream);
        assert_eq!(shard.down().await, (flow, FlowDown::Reset));
        shard.stop().await;
    });
}

#[test]
fn connections_above_the_limit_are_refused_and_the_others_live() {
    const LIMIT: usize = 2_000;
    let shard = Shard::start(&[(Transport::Tcp, "127.0.0.1:0")], |limits| {
        limits.flows = LIMIT;
        limits.flows_per_source = LIMIT;
        limits.first_byte = DEADLINE;
        limits.evict_after = DEADLINE;
    });
    let mut streams: Vec<TcpStream> = (0..LIMIT).map(|_| connect(shard.addr(0))).collect();
    block_on(async {
        // Each is up before the next step: the queue of the kernel keeps order.
        for _ in 0..LIMIT {
            shard.up().await;
        }
    });
    assert!(is_closed(&connect(shard.addr(0))), "one above the limit");
    for stream in &streams {
        (&*stream).write_all(b"x").unwrap();
        let mut back = [0; 1];
        (&*stream).read_exact(&mut back).unwrap();
    }
    // One leaves, one may come.
    drop(streams.pop());
    block_on(async {
        shard.down().await;
    });
    let late = connect(shard.addr(0));
    (&late).write_all(b"y").unwrap();
    let mut back = [0; 1];
    (&late).read_exact(&mut back).unwrap();
    drop((streams, late));
    block_on(async {
        shard.up().await;
        for _ in 0..LIMIT {
            shard.down().await;
        }
        let (stats, empty) = shard.handle.inspect(|echo, stats| (stats, echo.is_empty())).await.unwrap();
        assert_eq!((stats.streams, stats.flows, stats.refused), (0, 0, 1));
        assert!(empty, "nothing is left of {LIMIT} connections");
        shard.stop().await;
    });
}

#[test]
fn one_source_cannot_take_all_connections() {
    let shard = Shard::start(&[(Transport::Tcp, "127.0.0.1:0")], |limits| limits.flows_per_source = 3);
    let greedy: Vec<TcpStream> = (0..3).map(|_| connect(shard.addr(0))).collect();
    block_on(async {
        for _ in 0..3 {
            shard.up().await;
        }
    });
    assert!(is_closed(&connect(shard.addr(0))));
    let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    other.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    other.connect(&shard.addr(0).into()).unwrap();
    let other: TcpStream = other.into();
    (&other).write_all(b"x").unwrap();
    let mut back = [0; 1];
    (&other).read_exact(&mut back).unwrap();
    drop(greedy);
    block_on(shard.stop());
}
