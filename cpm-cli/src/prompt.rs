//! The prompt of `cpm client` for people: what is typed goes to the last peer, what comes in is shown and counts as
//! read.

use crate::client::Face;
use crate::driver::Client;
use cpm_proto::client::{Outgoing, Want};
use cpm_proto::{ClientEvent, Direction};
use cpm_runtime_common::ClientCommand;
use cpm_runtime_common::probes::Escaped;
use std::collections::VecDeque;
use std::io::Write;

/// Texts whose fate is still of interest.
const REMEMBERED: usize = 100;

const HELP: &str = "sip:bob@example.test TEXT  sends TEXT to bob, who becomes the peer
TEXT                       sends TEXT to the peer
/help                      shows this
/quit                      unregisters and ends";

/// What the prompt remembers.
pub(crate) struct Prompt {
    own: String,
    peer: Option<String>,
    /// Message-IDs and the beginnings of what was sent.
    sent: VecDeque<(String, String)>,
    registered: bool,
}

impl Prompt {
    /// A prompt for this address.
    pub(crate) fn new(own: &str) -> Self {
        Self { own: own.to_owned(), peer: None, sent: VecDeque::new(), registered: false }
    }

    fn send(&mut self, client: &Client, text: &str, out: &mut dyn Write) -> std::io::Result<()> {
        let Some(peer) = self.peer.clone() else {
            return writeln!(out, "* to whom? Begin with an address, such as sip:bob@example.test");
        };
        let outgoing = Outgoing::text(peer, text).want(Want { delivery: true, display: true });
        match client.command(ClientCommand::Send(outgoing)) {
            Ok(message_id) => {
                if self.sent.len() >= REMEMBERED {
                    self.sent.pop_front();
                }
                let short: String = text.chars().take(30).collect();
                self.sent.push_back((message_id.unwrap_or_default(), short));
                Ok(())
            }
            Err(error) => writeln!(out, "* not sent: {error}"),
        }
    }

    /// The beginning of a text that was sent.
    fn about(&self, message_id: &str) -> &str {
        self.sent.iter().find(|(id, _)| id == message_id).map_or("…", |(_, text)| text)
    }
}

impl Face for Prompt {
    fn line(
        &mut self,
        client: &Client,
        line: Result<String, &'static str>,
        out: &mut dyn Write,
    ) -> std::io::Result<bool> {
        let line = match &line {
            Ok(line) => line.trim(),
            Err(reason) => return writeln!(out, "* {reason}").map(|()| true),
        };
        match line {
            "/quit" => return Ok(false),
            "/help" => writeln!(out, "{HELP}")?,
            _ if line.starts_with('/') => writeln!(out, "* no such command; /help shows them")?,
            _ => {
                let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
                let addressed = ["sip:", "sips:", "tel:"].iter().any(|scheme| first.starts_with(scheme));
                if addressed {
                    self.peer = Some(first.to_owned());
                }
                let text = if addressed { rest.trim_start() } else { line };
                if text.is_empty() {
                    writeln!(out, "* you talk to {}", Escaped(first))?;
                } else {
                    self.send(client, text, out)?;
                }
            }
        }
        Ok(true)
    }

    fn event(&mut self, client: &Client, event: &ClientEvent, out: &mut dyn Write) -> std::io::Result<()> {
        match event {
            ClientEvent::Registered => {
                let again = std::mem::replace(&mut self.registered, true);
                let hint = if again { "" } else { "; /help shows what you can type" };
                writeln!(out, "* {} is registered{hint}", Escaped(&self.own))
            }
            ClientEvent::RegistrationFailed { status, reason } => {
                writeln!(out, "* not registered: {status} {}", Escaped(reason))
            }
            ClientEvent::Unregistered => writeln!(out, "* unregistered"),
            ClientEvent::Accepted { message_id, status: 202, .. } => {
                writeln!(out, "* kept for later: {}", Escaped(self.about(message_id)))
            }
            ClientEvent::Message(message) => {
                let text = message.text();
                let text = text.as_deref().unwrap_or("(no text)");
                let late = if message.deferred { " (deferred)" } else { "" };
                match message.direction {
                    Direction::Copy => {
                        writeln!(out, "you to {}{late}: {}", Escaped(&message.to), Escaped(text))
                    }
                    Direction::In => {
                        let message_id = message.message_id.clone();
                        writeln!(out, "{}{late}: {}", Escaped(&message.from), Escaped(text))?;
                        // It is on the screen: that is what displayed means.
                        let _ = client.command(ClientCommand::Read { message_id });
                        Ok(())
                    }
                }
            }
            ClientEvent::Delivered { message_id, by } => {
                writeln!(out, "* delivered to {}: {}", Escaped(by), Escaped(self.about(message_id)))
            }
            ClientEvent::Displayed { message_id, by } => {
                writeln!(out, "* read by {}: {}", Escaped(by), Escaped(self.about(message_id)))
            }
            ClientEvent::Failed { message_id, status, reason, .. } => {
                let about = self.about(message_id);
                writeln!(out, "* failed: {} ({status} {})", Escaped(about), Escaped(reason))
            }
            _ => Ok(()),
        }
    }
}
