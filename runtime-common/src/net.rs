//! Sockets before a runtime has them: bound, listening or connecting, all non-blocking; and what their errors
//! and addresses mean to a machine.

use crate::StartError;
use crate::error::Label;
use crate::udp::AsSystem;
use cpm_base::{FlowDown, Transport};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};

/// Connections the kernel may hold for us before we accept them.
const BACKLOG: i32 = 1024;
/// How often a free port is looked for that suits both UDP and TCP.
const PORT_TRIES: usize = 32;

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// UDP or TCP.
    pub transport: Transport,
    /// The address. Entries of one IP address with port 0 get one free port between them, so that a node
    /// serves UDP and TCP on the same number (RFC 3261 §18.2.1).
    pub addr: SocketAddr,
}

/// A socket that listens, not yet known to a runtime.
#[derive(Debug)]
pub enum Bound {
    /// A datagram socket.
    Udp(UdpSocket),
    /// A listener for streams.
    Tcp(TcpListener),
}

impl Bound {
    /// How it is reached: the port is the real one, the IP address may still be the unspecified one.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Udp(socket) => socket.local_addr(),
            Self::Tcp(socket) => socket.local_addr(),
        }
    }
}

/// Binds all of `listen`, in order, or none.
pub fn bind_all(listen: &[Listen]) -> Result<Vec<Bound>, StartError> {
    let free_port = listen.iter().any(|entry| entry.addr.port() == 0);
    let mut tries = 0;
    loop {
        match bind_once(listen) {
            Err(StartError::AddressInUse { .. }) if free_port && tries < PORT_TRIES => tries += 1,
            other => return other,
        }
    }
}

fn bind_once(listen: &[Listen]) -> Result<Vec<Bound>, StartError> {
    let mut chosen: Vec<(IpAddr, u16)> = Vec::new();
    let mut bound = Vec::with_capacity(listen.len());
    for entry in listen {
        let mut addr = entry.addr;
        if addr.port() == 0 {
            let port = chosen.iter().find(|(ip, _)| *ip == addr.ip()).map_or(0, |(_, port)| *port);
            addr.set_port(port);
        }
        let socket = match entry.transport {
            Transport::Udp => bind_udp(addr).map(Bound::Udp),
            Transport::Tcp => listen_tcp(addr).map(Bound::Tcp),
            other => return Err(StartError::NoSuchTransport { transport: Label(other), addr }),
        };
        let socket = socket.map_err(|source| listen_error(entry.transport, addr, source))?;
        if entry.addr.port() == 0 {
            let real = socket.local_addr().map_err(|source| listen_error(entry.transport, addr, source))?;
            chosen.push((addr.ip(), real.port()));
        }
        bound.push(socket);
    }
    Ok(bound)
}

fn listen_error(transport: Transport, addr: SocketAddr, source: io::Error) -> StartError {
    let transport = Label(transport);
    if source.kind() == io::ErrorKind::AddrInUse {
        return StartError::AddressInUse { transport, addr };
    }
    StartError::Listen { transport, addr, source }
}

fn socket(addr: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind, Some(protocol))?;
    if addr.is_ipv6() {
        // Never IPv4 in disguise: one peer has one address form, and 0.0.0.0 can be bound beside [::].
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A non-blocking datagram socket on `addr`.
pub fn bind_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(addr, Type::DGRAM, Protocol::UDP)?;
    // Bursts wait in the kernel while a turn runs; the system may grant less.
    let _granted_less = socket.set_recv_buffer_size(4 << 20);
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// A non-blocking listener on `addr`. A port that connections of an earlier process still linger on is taken.
pub fn listen_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(addr, Type::STREAM, Protocol::TCP)?;
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Begins to connect; the stream is writable once that has ended, and [`connected`] then says how.
pub fn begin_connect(remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(remote, Type::STREAM, Protocol::TCP)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&remote.into()) {
        Ok(()) => Ok(socket.into()),
        Err(error) if is_in_progress(&error) => Ok(socket.into()),
        Err(error) => Err(error),
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

/// How a connect ended, asked once the stream became writable: why it failed, or its local address.
/// `WouldBlock` while it has not ended.
pub fn connected(stream: &impl AsSystem) -> io::Result<SocketAddr> {
    let socket = SockRef::from(stream);
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Err(error) => return Err(error),
    }
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Tells the peer that no more bytes come, and leaves the other direction open.
pub fn shut_write(stream: &impl AsSystem) -> io::Result<()> {
    SockRef::from(stream).shutdown(Shutdown::Write)
}

/// `local` with an unspecified IP address replaced by the one that packets towards `towards` leave from. Without
/// `towards` the way to a public address is asked for, then loopback is taken. No packet is sent.
pub fn concrete(local: SocketAddr, towards: Option<SocketAddr>) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    // Documentation addresses (RFC 5737, RFC 3849): routed like the rest of the world, nobody's.
    let (public, loopback): (IpAddr, IpAddr) = match local {
        SocketAddr::V4(_) => (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(_) => {
            (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), Ipv6Addr::LOCALHOST.into())
        }
    };
    let towards = towards.filter(|to| to.is_ipv4() == local.is_ipv4());
    let remote = towards.unwrap_or(SocketAddr::new(public, 9));
    let ip = leaving_address(local, remote).unwrap_or(loopback);
    SocketAddr::new(ip, local.port())
}

fn leaving_address(local: SocketAddr, remote: SocketAddr) -> Option<IpAddr> {
    let probe = UdpSocket::bind(SocketAddr::new(local.ip(), 0)).ok()?;
    // Connecting a datagram socket only picks the route.
    probe.connect(remote).ok()?;
    let ip = probe.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

/// What a stream's error means to the machine.
pub fn down_of(error: &io::Error) -> FlowDown {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => FlowDown::Refused,
        Kind::TimedOut => FlowDown::TimedOut,
        Kind::UnexpectedEof => FlowDown::Closed,
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable
        | Kind::InvalidInput => FlowDown::Unreachable,
        _ if is_exhausted(error) => FlowDown::Limit,
        _ => FlowDown::Reset,
    }
}

/// The process or the machine has no descriptors or buffers left: waiting helps, trying at once does not.
pub fn is_exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        if exhausted.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) {
            return true;
        }
    }
    error.kind() == io::ErrorKind::OutOfMemory
}

/// The error concerns one connection that died in the queue; the next one can be accepted at once.
pub fn is_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
