//! The recipients' Devices: one socket, registered for all of them, that takes every message at once.

use super::wire;
use cpm_base::Rng;
use cpm_sip::auth::{Authenticator, Role, Secret};
use cpm_sip::{Limits, MessageView};
use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Registered Devices, answering on a thread of their own.
pub struct Devices {
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Devices {
    /// Registers the Devices of `count` recipients at `server` and begins to answer.
    pub fn register(server: SocketAddr, count: usize) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut rng = Rng::new([7; 32]);
        for n in 0..count {
            register(&socket, n, &mut rng)?;
        }
        let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let thread = {
            let (stop, received) = (Arc::clone(&stop), Arc::clone(&received));
            std::thread::spawn(move || answer(&socket, &stop, &received))
        };
        Ok(Self { stop, received, thread: Some(thread) })
    }

    /// Different messages taken so far; retransmissions are answered and not counted.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn register(socket: &UdpSocket, n: usize, rng: &mut Rng) -> io::Result<()> {
    let uri = format!("sip:{}", wire::DOMAIN);
    let mut credentials = Authenticator::new(format!("r{n}"), Secret::new(wire::PASSWORD), None);
    let mut buffer = [0; 4096];
    for cseq in 1..=3 {
        let values = credentials.authorize("REGISTER", &uri, b"");
        let value = values.iter().find(|value| value.role == Role::Server).map(|value| value.value.as_str());
        socket.send(wire::register(n, cseq, socket.local_addr()?, value).as_bytes())?;
        let length = socket.recv(&mut buffer)?;
        let answer = MessageView::parse(&buffer[..length], &Limits::default()).map_err(io::Error::other)?;
        match answer.status() {
            Some(200) => return Ok(()),
            Some(401) => {
                let challenges = answer.www_authenticate().filter_map(Result::ok);
                credentials.challenged(rng, Role::Server, challenges).map_err(io::Error::other)?;
            }
            other => return Err(io::Error::other(format!("REGISTER was answered {other:?}"))),
        }
    }
    Err(io::Error::other("REGISTER was challenged again and again"))
}

fn answer(socket: &UdpSocket, stop: &AtomicBool, received: &AtomicU64) {
    let mut buffer = [0; 8192];
    let mut reply = Vec::with_capacity(2048);
    let mut seen = HashSet::new();
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let datagram = &buffer[..length];
        if !datagram.starts_with(b"MESSAGE ") {
            continue;
        }
        wire::ok(datagram, &mut reply);
        let _ = socket.send(&reply);
        if let Some(id) = wire::field(datagram, "imdn.Message-ID")
            && seen.insert(id.to_owned())
        {
            received.fetch_add(1, Ordering::Relaxed);
        }
    }
}
