use super::*;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span;

/// Keeps level and text of every event.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(Level, String)>>>);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
        }
    }
}

impl tracing::Subscriber for Kept {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = String::new();
        event.record(&mut Text(&mut text));
        self.0.lock().unwrap().push((*event.metadata().level(), text));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn probes_come_out_at_the_level_of_the_table_with_their_numbers_named() {
    let kept = Kept::default();
    tracing::subscriber::with_default(kept.clone(), || {
        emit(Probe { kind: ProbeKind::StoreFailed, a: 9, b: 0 });
        emit(Probe { kind: ProbeKind::AuthFailed, a: 3, b: 403 });
        emit(Probe { kind: ProbeKind::BadMessage, a: 3, b: 17 });
    });
    let lines = kept.0.lock().unwrap().clone();
    assert_eq!(
        lines,
        [
            (Level::ERROR, "store effect failed token=9".to_owned()),
            (Level::INFO, "authentication failed flow=3 status=403".to_owned()),
            (Level::DEBUG, "malformed message flow=3 offset=17".to_owned()),
        ]
    );
}

#[test]
fn text_for_a_log_has_no_control_characters() {
    let text = Escaped("a\u{1b}[31mred\r\nnew\u{7f}\u{202e}end é").to_string();
    assert_eq!(text, "a\\u{1b}[31mred\\u{d}\\u{a}new\\u{7f}\\u{202e}end é");
}
