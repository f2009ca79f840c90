//! Parse, typed access and writing of four messages of the sizes that docs/performance.md names.
#![allow(missing_docs)] // criterion's macro writes an undocumented function

use bytes::{Bytes, BytesMut};
use cpm_sip::{Edit, Head, HeaderId, Limits, Message, MessageView, Method, validate};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

const MESSAGES: [(&str, &[u8]); 4] = [
    ("register-524", include_bytes!("messages/register.sip")),
    ("invite-1502", include_bytes!("messages/invite.sip")),
    ("message-1007", include_bytes!("messages/message.sip")),
    ("ok-745", include_bytes!("messages/ok.sip")),
];

/// The six headers that route a message.
fn typed(message: &MessageView<'_>) -> usize {
    let via = message.via_top().unwrap();
    let (from, to) = (message.from().unwrap(), message.to().unwrap());
    let call_id = message.call_id().unwrap();
    let cseq = message.cseq().unwrap();
    let next = message.contacts().next().map(|contact| contact.is_ok());
    let branch = via.branch().map_or(0, str::len);
    let tags = from.tag().map_or(0, str::len) + to.tag().map_or(0, str::len);
    branch + tags + call_id.len() + cseq.number as usize + usize::from(next == Some(true))
}

fn parse(bench: &mut Criterion) {
    let limits = Limits::default();
    for (name, raw) in MESSAGES {
        let shared = Bytes::from_static(raw);
        bench.bench_function(&format!("view/{name}"), |b| {
            b.iter(|| MessageView::parse(black_box(raw), &limits).unwrap());
        });
        bench.bench_function(&format!("owned/{name}"), |b| {
            b.iter(|| Message::parse(black_box(shared.clone()), &limits).unwrap());
        });
        bench.bench_function(&format!("typed/{name}"), |b| {
            b.iter(|| typed(&MessageView::parse(black_box(raw), &limits).unwrap()));
        });
        let message = Message::parse(shared.clone(), &limits).unwrap();
        bench.bench_function(&format!("validate/{name}"), |b| {
            b.iter(|| validate(black_box(&message), &limits).unwrap());
        });
    }
}

fn write(bench: &mut Criterion) {
    let limits = Limits::default();
    let invite = Message::parse(Bytes::from_static(MESSAGES[1].1), &limits).unwrap();
    let mut head = Head::request(Method::Invite, invite.request_uri().unwrap()).unwrap();
    for (id, name, value) in invite.all_headers().filter(|(id, ..)| *id != HeaderId::ContentLength) {
        match id {
            HeaderId::Other => head.push_named(name, value).unwrap(),
            id => head.push(id, value).unwrap(),
        };
    }
    head.body(invite.header(HeaderId::ContentType).unwrap(), invite.body()).unwrap();
    let mut out = BytesMut::with_capacity(4096);
    bench.bench_function("write/untouched", |b| {
        b.iter(|| {
            out.clear();
            Edit::new(black_box(&invite)).write_to(&mut out);
            out.len()
        });
    });
    bench.bench_function("write/forwarded", |b| {
        b.iter(|| {
            out.clear();
            let mut edit = Edit::new(black_box(&invite));
            edit.prepend(HeaderId::Via, "SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK9a8f7e6d5c4b").unwrap();
            edit.replace(HeaderId::MaxForwards, 69).unwrap();
            edit.pop_route();
            edit.write_to(&mut out);
            out.len()
        });
    });
    bench.bench_function("write/head", |b| {
        b.iter(|| {
            out.clear();
            black_box(&head).write_to(&mut out);
            out.len()
        });
    });
    bench.bench_function("write/response", |b| {
        b.iter(|| Head::response_to(black_box(&invite), 200, "OK").write());
    });
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
