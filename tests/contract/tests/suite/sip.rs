//! A bare SIP endpoint on the driver, without a node: the seam that keeps cpm-sip useful alone.

use super::*;
use crate::rt::{Handler, block_on};
use cpm_base::Now;
use cpm_base::shell::Shell;
use cpm_sip::endpoint::{Config, Event, Target};
use cpm_sip::{Endpoint, Head, Method};

/// Answers every request with 200 and tells the statuses of responses.
struct User;

impl Handler<Endpoint> for User {
    type Command = Target;
    type Event = u16;

    fn rest(&mut self, now: Now, shell: &mut Shell<Endpoint>, rest: Event) -> Option<u16> {
        match rest {
            Event::Request { txn, message, .. } => {
                let head = Head::response_to(&message, 200, "OK");
                shell.command(now, |sip, now| sip.respond(now, txn, head)).unwrap();
                None
            }
            Event::Response { message, .. } => message.status(),
            Event::TxnFailed { .. } => Some(0),
            _ => None,
        }
    }

    fn command(&mut self, now: Now, shell: &mut Shell<Endpoint>, target: Target) -> Option<u16> {
        let uri = format!("sip:{}", target.remote);
        let mut head = Head::request(Method::Options, &uri).unwrap();
        head.push(cpm_sip::HeaderId::To, format!("<{uri}>")).unwrap();
        head.push(cpm_sip::HeaderId::From, "<sip:tester@example.test>").unwrap();
        shell.command(now, |sip, now| sip.request(now, head, target)).err().map(|_| 1)
    }
}

type Sip = DriverHandle<Endpoint, Target, u16>;

fn start(listen: &[(Transport, &str)]) -> Sip {
    let listen: Vec<Listen> = listen
        .iter()
        .map(|(transport, addr)| Listen { transport: *transport, addr: addr.parse().unwrap() })
        .collect();
    let endpoint = Endpoint::new(Config::default(), [listen_seed(&listen); 32]);
    Sip::spawn(DriverOptions::new("sip", listen), endpoint, |_| Ok(User)).unwrap()
}

/// Both sides draw different names.
fn listen_seed(listen: &[Listen]) -> u8 {
    listen.len() as u8
}

#[test]
fn requests_are_answered_over_both_transports_and_families() {
    for addr in ["127.0.0.1:0", "[::1]:0"] {
        let server = start(&[(Transport::Udp, addr), (Transport::Tcp, addr)]);
        let client = start(&[(Transport::Udp, addr)]);
        block_on(async {
            for round in 0..20 {
                let remote = server.addresses()[0].addr;
                let target = if round % 2 == 0 { Target::udp(remote) } else { Target::tcp(remote) };
                client.command(target).await.unwrap();
                assert_eq!(within(DEADLINE, client.next_event()).await, Some(200));
            }
            client.stop().await.unwrap();
            server.stop().await.unwrap();
        });
    }
}

#[test]
fn a_request_to_nobody_fails() {
    let client = start(&[]);
    let gone = start(&[(Transport::Tcp, "127.0.0.1:0")]);
    let remote = gone.addresses()[0].addr;
    block_on(async {
        gone.stop().await.unwrap();
        client.command(Target::tcp(remote)).await.unwrap();
        assert_eq!(within(DEADLINE, client.next_event()).await, Some(0));
        client.stop().await.unwrap();
    });
}
