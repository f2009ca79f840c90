//! What has become of sent messages, by recipient.
//!
//! A recipient's record is the join of the notifications seen, so their order and repetition do not matter:
//!
//! | axis | rises through |
//! |---|---|
//! | delivery | nothing, error, forbidden, failed, delivered |
//! | display | nothing, error, forbidden, displayed |
//! | processing | nothing, error, forbidden, stored, processed |
//! | interworking | nothing, error, forbidden, legacy-mms, legacy-sms |
//!
//! [`RecipientState`] sums the axes up; displayed implies delivered (CONV-IMDN-040).

use std::{collections::BTreeMap, time::Instant};

use super::{Delivery, Display, Interworking, Notification, Processing};
use crate::cpim::Dispositions;

/// The sum of what is known about one recipient, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecipientState {
    /// Nothing is known, or only that a notification was denied or its source erred.
    Pending,
    /// An intermediary has processed or stored the message.
    Processed,
    /// The message could not be delivered.
    Failed,
    /// The message left CPM as an SMS or MMS.
    Interworked,
    /// The message is on a Device.
    Delivered,
    /// The message has been shown to the user.
    Displayed,
}

/// What a notification has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded {
    /// The message is not tracked (CONV-IMDN-061: to be ignored).
    UnknownMessage,
    /// The recipient is not one of the message (CONV-IMDN-063).
    UnknownRecipient,
    /// Nothing new: a repetition, or a delivery after a display.
    Known,
    /// Something new; the state the recipient now has, and whether that rose.
    New {
        /// The state.
        state: RecipientState,
        /// Whether it is higher than before.
        rose: bool,
    },
}

/// A bound of the tracker is reached; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many tracked messages or recipients")]
pub struct TrackerFull;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Record {
    delivery: Option<Delivery>,
    display: Option<Display>,
    processing: Option<Processing>,
    interworking: Option<Interworking>,
}

impl Record {
    fn join(mut self, notification: Notification) -> Self {
        match notification {
            Notification::Delivery(d) => self.delivery = self.delivery.max(Some(d)),
            Notification::Display(d) => {
                self.display = self.display.max(Some(d));
                if d == Display::Displayed {
                    self.delivery = Some(Delivery::Delivered);
                }
            }
            Notification::Processing(p) => self.processing = self.processing.max(Some(p)),
            Notification::Interworking(i) => self.interworking = self.interworking.max(Some(i)),
            Notification::Extension => {}
        }
        self
    }

    fn state(self) -> RecipientState {
        if self.display == Some(Display::Displayed) {
            RecipientState::Displayed
        } else if self.delivery == Some(Delivery::Delivered) {
            RecipientState::Delivered
        } else if self.interworking >= Some(Interworking::LegacyMms) {
            RecipientState::Interworked
        } else if self.delivery == Some(Delivery::Failed) {
            RecipientState::Failed
        } else if self.processing >= Some(Processing::Stored) {
            RecipientState::Processed
        } else {
            RecipientState::Pending
        }
    }
}

#[derive(Clone, Debug)]
struct Tracked {
    since: Instant,
    wanted: Dispositions,
    recipients: BTreeMap<String, Record>,
}

/// Follows sent messages by Message-ID and recipient. Recipients are compared as given; the owner passes the
/// canonical form of the asserted identity.
#[derive(Clone, Debug)]
pub struct ImdnTracker {
    messages: BTreeMap<String, Tracked>,
    max_messages: usize,
    max_recipients: usize,
}

impl ImdnTracker {
    /// An empty tracker for at most so many messages, with at most so many recipients each.
    #[must_use]
    pub const fn new(max_messages: usize, max_recipients: usize) -> Self {
        Self { messages: BTreeMap::new(), max_messages, max_recipients }
    }

    /// Follows a message that was sent at `now` to these recipients. Following it again adds recipients and
    /// keeps what is known.
    ///
    /// # Errors
    /// [`TrackerFull`].
    pub fn sent<'r>(
        &mut self,
        now: Instant,
        message_id: &str,
        wanted: Dispositions,
        recipients: impl IntoIterator<Item = &'r str>,
    ) -> Result<(), TrackerFull> {
        let known = self.messages.get(message_id);
        if known.is_none() && self.messages.len() >= self.max_messages {
            return Err(TrackerFull);
        }
        let mut all = known.map(|tracked| tracked.recipients.clone()).unwrap_or_default();
        for recipient in recipients {
            if !all.contains_key(recipient) {
                if all.len() >= self.max_recipients {
                    return Err(TrackerFull);
                }
                all.insert(recipient.to_owned(), Record::default());
            }
        }
        self.messages.insert(message_id.to_owned(), Tracked { since: now, wanted, recipients: all });
        Ok(())
    }

    /// Records a notification from `recipient`.
    // spec: CONV-IMDN-040 CONV-IMDN-061 CONV-IMDN-063
    pub fn notified(&mut self, message_id: &str, recipient: &str, notification: Notification) -> Recorded {
        let Some(tracked) = self.messages.get_mut(message_id) else { return Recorded::UnknownMessage };
        let Some(record) = tracked.recipients.get_mut(recipient) else { return Recorded::UnknownRecipient };
        let before = *record;
        *record = before.join(notification);
        if *record == before {
            return Recorded::Known;
        }
        Recorded::New { state: record.state(), rose: record.state() > before.state() }
    }

    /// The state of one recipient; None if message or recipient is not tracked.
    #[must_use]
    pub fn state(&self, message_id: &str, recipient: &str) -> Option<RecipientState> {
        self.messages.get(message_id)?.recipients.get(recipient).map(|r| r.state())
    }

    /// The states of all recipients of a message, in the order of their addresses.
    pub fn states<'t>(
        &'t self,
        message_id: &str,
    ) -> impl Iterator<Item = (&'t str, RecipientState)> + use<'t> {
        let tracked = self.messages.get(message_id);
        tracked.into_iter().flat_map(|t| t.recipients.iter().map(|(r, record)| (r.as_str(), record.state())))
    }

    /// What was asked for.
    #[must_use]
    pub fn wanted(&self, message_id: &str) -> Option<Dispositions> {
        self.messages.get(message_id).map(|t| t.wanted)
    }

    /// Forgets messages sent before `limit` and gives their number. No specification bounds the wait; late
    /// notifications are then unknown (CONV-IMDN-062).
    // spec: CONV-IMDN-062
    pub fn forget_before(&mut self, limit: Instant) -> usize {
        let before = self.messages.len();
        self.messages.retain(|_, tracked| tracked.since >= limit);
        before.saturating_sub(self.messages.len())
    }

    /// Number of tracked messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is tracked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}
