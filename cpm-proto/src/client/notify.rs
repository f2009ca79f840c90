//! Disposition notifications both ways (RFC 5438, CONV-IMDN).

use super::User;
use super::compose;
use super::content::Note;
use super::cx::Cx;
use super::incoming::Peer;
use super::job::{Job, Notice, Purpose};
use super::seen::{SeenId, Step};
use super::sent::Progress;
use crate::{ClientEvent, Error};
use cpm_cpim::imdn::{Delivery, Display, Notification};
use cpm_sip::Uri;

/// Letters of base 32 in the Message-ID of a notification.
const MESSAGE_ID_LETTERS: usize = 16;

impl User {
    /// The user has seen a message: tells its sender if the sender asked.
    // spec: CONV-IMDN-010, CONV-PM-023
    pub(crate) fn read_by_user(&mut self, cx: &mut Cx<'_>, message_id: &str) -> Result<(), Error> {
        let seen = self.seen.newest(message_id).ok_or(Error::Usage("no such message was received"))?;
        self.notify(cx, seen, Notice::Displayed);
        Ok(())
    }

    /// A message is on this Device.
    pub(super) fn notify_delivered(&mut self, cx: &mut Cx<'_>, seen: SeenId) {
        self.notify(cx, seen, Notice::Delivered);
    }

    /// A message came once more: what could not be sent about it gets another chance.
    // spec: CONV-PM-022
    pub(super) fn notify_again(&mut self, cx: &mut Cx<'_>, seen: SeenId) {
        for notice in [Notice::Delivered, Notice::Displayed] {
            if self.step(seen, notice) == Some(Step::Dropped) {
                self.noticed(seen, notice, Step::Wanted);
                self.notify(cx, seen, notice);
            }
        }
    }

    /// Sends a notification if it is wanted and not yet due.
    fn notify(&mut self, cx: &mut Cx<'_>, seen: SeenId, notice: Notice) {
        if self.step(seen, notice) != Some(Step::Wanted) || self.link.is_leaving() {
            return;
        }
        if self.notifications >= cx.client_limits().notifications {
            return self.noticed(seen, notice, Step::Dropped);
        }
        let message_id = cx.rng.base32(MESSAGE_ID_LETTERS);
        let Some(message) = self.seen.get(seen) else { return };
        let written = compose::notification(message, notice, &message_id, cx.now);
        let Ok((uri, body)) = written else { return self.noticed(seen, notice, Step::Dropped) };
        let lane = Uri::parse(&uri).map(|uri| uri.canonical()).unwrap_or_else(|_| uri.to_string());
        let mint = |id: &str, cx: &mut Cx<'_>| if id.is_empty() { cx.rng.uuid() } else { id.to_owned() };
        let conversation_id = mint(&message.conversation_id, cx);
        let contribution_id = mint(&message.contribution_id, cx);
        let purpose = Purpose::Notification { seen, kind: notice };
        let job = Job::new(purpose, &uri, &lane, (&conversation_id, &contribution_id), body);
        self.noticed(seen, notice, Step::Due);
        self.notifications += 1;
        let handle = self.jobs.insert(job);
        self.enqueue(cx, handle);
    }

    fn step(&self, seen: SeenId, notice: Notice) -> Option<Step> {
        let message = self.seen.get(seen)?;
        Some(match notice {
            Notice::Delivered => message.delivery,
            Notice::Displayed => message.display,
        })
    }

    /// Notes how far a notification is.
    pub(super) fn noticed(&mut self, seen: SeenId, notice: Notice, step: Step) {
        if let Some(message) = self.seen.get_mut(seen) {
            match notice {
                Notice::Delivered => message.delivery = step,
                Notice::Displayed => message.display = step,
            }
        }
    }

    /// Notifications came in. Those of the user's other Devices mark received messages, the others are about
    /// sent ones; what fits nothing is ignored.
    // spec: CONV-IMDN-061, CONV-IMDN-064
    pub(super) fn on_notifications(&mut self, cx: &mut Cx<'_>, peer: &Peer, own: bool, notes: &[Note]) {
        for note in notes {
            if own && self.seen.newest(&note.message_id).is_some() {
                self.on_own_notification(cx, note);
            } else {
                self.on_notification(cx, peer, note);
            }
        }
    }

    /// Another Device of the user notified: this one need not.
    // spec: CONV-IMDN-064
    fn on_own_notification(&mut self, cx: &mut Cx<'_>, note: &Note) {
        let Some(seen) = self.seen.newest(&note.message_id) else { return };
        match note.notification {
            Notification::Delivery(Delivery::Delivered) => self.settle(cx, seen, Notice::Delivered),
            Notification::Display(Display::Displayed) => {
                let first = self.step(seen, Notice::Displayed) != Some(Step::Done);
                self.settle(cx, seen, Notice::Delivered);
                self.settle(cx, seen, Notice::Displayed);
                if first {
                    cx.event(ClientEvent::ReadElsewhere { message_id: note.message_id.clone() });
                }
            }
            _ => {}
        }
    }

    /// Marks a notification as sent and drops it where it still waits.
    fn settle(&mut self, cx: &mut Cx<'_>, seen: SeenId, notice: Notice) {
        let waiting = self
            .jobs
            .iter()
            .find(|(_, job)| job.purpose == Purpose::Notification { seen, kind: notice } && !job.is_flying());
        if let Some((handle, _)) = waiting {
            self.conclude(cx, handle, None);
        }
        self.noticed(seen, notice, Step::Done);
    }

    /// Somebody notified about a message of this user. Believed only from its recipient, or from the network
    /// itself when it gives its own name.
    // spec: CONV-IMDN-040, CONV-IMDN-061, CONV-IMDN-063
    fn on_notification(&mut self, cx: &mut Cx<'_>, peer: &Peer, note: &Note) {
        let Some(sent) = self.sent.get(&note.message_id) else { return };
        let network = peer.asserted && Uri::parse(&peer.uri).is_ok_and(|uri| uri.user().is_none());
        if *sent.recipient != *peer.canonical && !network {
            return;
        }
        let reference = sent.reference.to_string();
        let (message_id, by) = (note.message_id.clone(), peer.uri.clone());
        let (progress, event) = match note.notification {
            Notification::Delivery(Delivery::Delivered) => {
                (Progress::Delivered, ClientEvent::Delivered { message_id, by })
            }
            Notification::Display(Display::Displayed) => {
                (Progress::Displayed, ClientEvent::Displayed { message_id, by })
            }
            Notification::Delivery(Delivery::Failed) => {
                let reason = "Not delivered".to_owned();
                (Progress::Failed, ClientEvent::Failed { reference, message_id, status: 0, reason })
            }
            _ => return,
        };
        if self.sent.advance(&note.message_id, progress) {
            cx.event(event);
        }
    }
}
