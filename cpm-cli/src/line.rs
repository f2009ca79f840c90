//! The line protocol of `cpm client --json`: one JSON object a line, commands in, events out. It is an
//! interface and described in docs/client-json.md; what is here may grow but not change.

use base64::Engine as _;
use cpm_proto::client::{Outgoing, Want};
use cpm_proto::{ClientEvent, Direction, Received};
use serde::{Deserialize, Serialize};

/// Longest command line, bytes.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// What a line may ask.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "cmd", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Command {
    /// Send a text.
    Send {
        to: String,
        text: String,
        #[serde(default)]
        want: Vec<Wanted>,
        #[serde(default, rename = "ref")]
        reference: Option<String>,
    },
    /// The user has seen a message.
    Read { message_id: String },
    /// Unregister and end.
    Quit {},
}

/// One notification asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wanted {
    Delivery,
    Display,
}

/// The set a list of wishes means.
pub(crate) fn want(list: &[Wanted]) -> Want {
    Want { delivery: list.contains(&Wanted::Delivery), display: list.contains(&Wanted::Display) }
}

/// The message that a `send` command describes.
pub(crate) fn outgoing(to: &str, text: String, wanted: &[Wanted], reference: Option<String>) -> Outgoing {
    Outgoing::text(to, text).want(want(wanted)).reference(reference.unwrap_or_default())
}

/// Reads one command line; the error is what the `error` event says.
pub(crate) fn command(line: &str) -> Result<Command, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// What a line may report.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Report<'a> {
    Registered {},
    RegistrationFailed { status: u16, reason: &'a str },
    Unregistered {},
    Accepted { r#ref: Option<&'a str>, message_id: &'a str, status: u16 },
    Message(Box<MessageReport<'a>>),
    Delivered { message_id: &'a str, by: &'a str },
    Displayed { message_id: &'a str, by: &'a str },
    ReadElsewhere { message_id: &'a str },
    Failed { r#ref: Option<&'a str>, message_id: Option<&'a str>, status: Option<u16>, reason: &'a str },
    Error { reason: &'a str },
}

/// A received message.
#[derive(Debug, Serialize)]
pub(crate) struct MessageReport<'a> {
    from: &'a str,
    to: &'a str,
    message_id: &'a str,
    conversation_id: &'a str,
    contribution_id: &'a str,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    direction: &'static str,
    deferred: bool,
}

impl<'a> MessageReport<'a> {
    fn of(message: &'a Received) -> Self {
        let text = message.text().map(String::from);
        let base64 = match text {
            Some(_) => None,
            None => Some(base64::engine::general_purpose::STANDARD.encode(&message.body)),
        };
        Self {
            from: &message.from,
            to: &message.to,
            message_id: &message.message_id,
            conversation_id: &message.conversation_id,
            contribution_id: &message.contribution_id,
            content_type: &message.content_type,
            text,
            base64,
            direction: match message.direction {
                Direction::In => "in",
                Direction::Copy => "copy",
            },
            deferred: message.deferred,
        }
    }
}

/// The report of an event; `None` for one this protocol does not know.
pub(crate) fn report(event: &ClientEvent) -> Option<Report<'_>> {
    let given = |text: &'_ str| !text.is_empty();
    Some(match event {
        ClientEvent::Registered => Report::Registered {},
        ClientEvent::RegistrationFailed { status, reason } => {
            Report::RegistrationFailed { status: *status, reason }
        }
        ClientEvent::Unregistered => Report::Unregistered {},
        ClientEvent::Accepted { reference, message_id, status } => Report::Accepted {
            r#ref: Some(reference.as_str()).filter(|text| given(text)),
            message_id,
            status: *status,
        },
        ClientEvent::Message(message) => Report::Message(Box::new(MessageReport::of(message))),
        ClientEvent::Delivered { message_id, by } => Report::Delivered { message_id, by },
        ClientEvent::Displayed { message_id, by } => Report::Displayed { message_id, by },
        ClientEvent::ReadElsewhere { message_id } => Report::ReadElsewhere { message_id },
        ClientEvent::Failed { reference, message_id, status, reason } => Report::Failed {
            r#ref: Some(reference.as_str()).filter(|text| given(text)),
            message_id: Some(message_id.as_str()).filter(|text| given(text)),
            status: Some(*status).filter(|status| *status != 0),
            reason,
        },
        _ => return None,
    })
}

impl Report<'_> {
    /// The line, without its end.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| String::from("{\"event\":\"error\"}"))
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
