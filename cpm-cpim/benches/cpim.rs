//! The CPIM and IMDN readers beside their bounds: httparse over both header groups, which checks no namespace
//! and decodes nothing, and quick-xml alone over the document.
//!
//! Judge by the ratios inside one run (docs/performance.md), not by the absolute figures.

use std::hint::black_box;

use cpm_cpim::{
    Limits,
    cpim::{Cpim, CpimBuilder, Disposition, Field},
    imdn::{Delivery, Imdn, Notification},
};
use criterion::{Criterion, Throughput};

/// 383 bytes: six message headers with one namespace, two MIME headers.
fn message() -> Vec<u8> {
    let body = "Hello, this is the text of a short message. ".repeat(2);
    let written = CpimBuilder::new("text/plain;charset=UTF-8", &body.as_bytes()[..83])
        .from("", "sip:anonymous@anonymous.invalid")
        .to("", "sip:anonymous@anonymous.invalid")
        .message_id("ae6926cf")
        .datetime_text("2016-03-24T08:51:42+01:00")
        .want([Disposition::PositiveDelivery, Disposition::Display].into_iter().collect())
        .write()
        .unwrap();
    assert_eq!(written.len(), 383);
    written
}

fn cpim(c: &mut Criterion) {
    let raw = message();
    let limits = Limits::default();
    let mut group = c.benchmark_group("cpim 383 B");
    group.throughput(Throughput::Bytes(383));
    group.bench_function("parse and IMDN request", |b| {
        b.iter(|| {
            let message = Cpim::parse(black_box(&raw), &limits).unwrap();
            let request = message.imdn_request().unwrap().unwrap();
            black_box((request.wanted, request.message_id.len(), message.body().len()))
        });
    });
    group.bench_function("parse", |b| b.iter(|| Cpim::parse(black_box(&raw), &limits).unwrap().body().len()));
    group.bench_function("validate", |b| {
        let message = Cpim::parse(&raw, &limits).unwrap();
        b.iter(|| black_box(&message).validate(&[]).unwrap());
    });
    group.bench_function("strip the request", |b| {
        let message = Cpim::parse(&raw, &limits).unwrap();
        b.iter(|| black_box(&message).edit().remove(Field::DispositionNotification).write());
    });
    group.bench_function("bound: httparse twice", |b| {
        b.iter(|| {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let (first, found) = httparse::parse_headers(black_box(&raw), &mut headers).unwrap().unwrap();
            let count = found.len();
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let (second, found) = httparse::parse_headers(&raw[first..], &mut headers).unwrap().unwrap();
            black_box((count + found.len(), first + second))
        });
    });
    group.finish();
}

fn imdn(c: &mut Criterion) {
    let mut document = Imdn::new(
        "ae6926cfcffa40a89e44252ce9e970a2",
        "2016-03-24T08:51:42+01:00",
        Notification::Delivery(Delivery::Delivered),
    );
    document.recipient_uri = Some("sip:bob@example.test".into());
    let xml = document.write().unwrap();
    let limits = Limits::default();
    let mut group = c.benchmark_group("imdn");
    group.throughput(Throughput::Bytes(u64::try_from(xml.len()).unwrap()));
    group.bench_function("parse", |b| {
        b.iter(|| Imdn::parse(black_box(xml.as_bytes()), &limits).unwrap().notification)
    });
    group.bench_function("write", |b| b.iter(|| black_box(&document).write().unwrap().len()));
    group.bench_function("bound: quick-xml events", |b| {
        b.iter(|| {
            let mut reader = quick_xml::NsReader::from_str(black_box(&xml));
            let mut count = 0;
            while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {
                count += 1;
            }
            count
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    cpim(&mut criterion);
    imdn(&mut criterion);
    criterion.final_summary();
}
