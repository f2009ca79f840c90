use super::*;

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[test]
fn port_zero_is_one_port_for_udp_and_tcp_of_an_address() {
    let listen = [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, addr: loopback(0) });
    let bound = bind_all(&listen).unwrap();
    let ports: Vec<u16> = bound.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
    assert_ne!(ports[0], 0);
    assert_eq!(ports[0], ports[1]);
}

#[test]
fn an_address_in_use_is_named() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let first = bind_all(&[Listen { transport, addr: loopback(0) }]).unwrap();
        let addr = first[0].local_addr().unwrap();
        let again = bind_all(&[Listen { transport, addr }]).unwrap_err();
        assert!(matches!(&again, StartError::AddressInUse { addr: named, .. } if *named == addr));
        assert!(again.to_string().contains(&addr.to_string()), "{again}");
    }
}

#[test]
fn an_address_of_another_machine_is_an_error_that_names_it() {
    let addr: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    let error = bind_all(&[Listen { transport: Transport::Tcp, addr }]).unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
    assert!(error.to_string().contains("192.0.2.1:5060"), "{error}");
}

#[test]
fn a_transport_without_an_implementation_is_refused() {
    let error = bind_all(&[Listen { transport: Transport::Tls, addr: loopback(0) }]).unwrap_err();
    assert!(matches!(error, StartError::NoSuchTransport { .. }));
}

#[test]
fn both_families_share_a_port() {
    let v4 = bind_all(&[Listen { transport: Transport::Udp, addr: "0.0.0.0:0".parse().unwrap() }]).unwrap();
    let port = v4[0].local_addr().unwrap().port();
    let v6 = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    assert!(bind_all(&[Listen { transport: Transport::Udp, addr: v6 }]).is_ok());
}

#[test]
fn a_wildcard_becomes_the_address_towards_the_peer() {
    let wild: SocketAddr = "0.0.0.0:5060".parse().unwrap();
    assert_eq!(concrete(wild, Some(loopback(5070))), loopback(5060));
    let wild6: SocketAddr = "[::]:5060".parse().unwrap();
    let peer6: SocketAddr = "[::1]:5070".parse().unwrap();
    assert_eq!(concrete(wild6, Some(peer6)), "[::1]:5060".parse().unwrap());
    assert_eq!(concrete(loopback(7), None), loopback(7), "a concrete address stays");
    assert!(!concrete(wild, None).ip().is_unspecified());
    assert!(!concrete(wild6, Some(loopback(1))).ip().is_unspecified(), "a peer of the other family");
}

#[test]
fn a_refused_connect_is_told_from_the_rest() {
    let free = listen_tcp(loopback(0)).unwrap().local_addr().unwrap();
    let outcome = begin_connect(free);
    // Loopback may refuse at once or when asked.
    let error = match outcome {
        Err(error) => error,
        Ok(stream) => {
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
            loop {
                if let Err(error) = connected(&stream)
                    && error.kind() != io::ErrorKind::WouldBlock
                {
                    break error;
                }
                assert!(std::time::Instant::now() < deadline, "no answer to connect");
                std::thread::yield_now();
            }
        }
    };
    assert_eq!(down_of(&error), FlowDown::Refused);
}

#[test]
fn errors_are_sorted() {
    let of = |kind: io::ErrorKind| down_of(&io::Error::from(kind));
    assert_eq!(of(io::ErrorKind::TimedOut), FlowDown::TimedOut);
    assert_eq!(of(io::ErrorKind::BrokenPipe), FlowDown::Reset);
    assert_eq!(of(io::ErrorKind::NetworkUnreachable), FlowDown::Unreachable);
    let no_descriptors = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
    assert!(is_exhausted(&no_descriptors));
    assert_eq!(down_of(&no_descriptors), FlowDown::Limit);
    assert!(is_one_connection(&io::Error::from(io::ErrorKind::ConnectionAborted)));
    assert!(!is_one_connection(&no_descriptors));
}
