//! One pending MESSAGE per Request-URI, the others wait in order (RFC 3428 §8, CONV-PM-015). The parallel
//! branches of one message go to different Request-URIs, so each Device has a lane of its own.

use std::collections::{BTreeMap, VecDeque};

/// Lanes by Request-URI; the head of a lane is on its way.
#[derive(Debug)]
pub(crate) struct Gate<T> {
    lanes: BTreeMap<String, VecDeque<T>>,
}

/// What became of a place in a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Go ahead.
    Head,
    /// Wait.
    Waiting,
    /// The lane is full.
    Full,
}

impl<T: Copy + PartialEq> Gate<T> {
    pub(crate) fn new() -> Self {
        Self { lanes: BTreeMap::new() }
    }

    /// Puts `item` at the end of the lane of `uri`, which holds at most one on its way and `room` waiting.
    // spec: CONV-PM-015
    pub(crate) fn enter(&mut self, uri: &str, item: T, room: usize) -> Place {
        let Some(lane) = self.lanes.get_mut(uri) else {
            self.lanes.insert(uri.to_owned(), VecDeque::from([item]));
            return Place::Head;
        };
        if lane.len() > room {
            return Place::Full;
        }
        lane.push_back(item);
        Place::Waiting
    }

    /// Takes `item` out of its lane; gives the new head if the head has changed.
    pub(crate) fn leave(&mut self, uri: &str, item: T) -> Option<T> {
        let lane = self.lanes.get_mut(uri)?;
        let was_head = lane.front() == Some(&item);
        if was_head {
            lane.pop_front();
        } else {
            lane.retain(|other| *other != item);
        }
        let head = lane.front().copied();
        if head.is_none() {
            self.lanes.remove(uri);
        }
        head.filter(|_| was_head)
    }

    /// Whether `item` is the head of the lane of `uri`.
    pub(crate) fn is_head(&self, uri: &str, item: T) -> bool {
        self.lanes.get(uri).and_then(VecDeque::front) == Some(&item)
    }

    /// The head of every lane, in the order of the URIs.
    pub(crate) fn heads(&self) -> Vec<T> {
        self.lanes.values().filter_map(|lane| lane.front().copied()).collect()
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // test: CONV-PM-015
    #[test]
    fn one_on_its_way_the_others_in_order() {
        let mut gate = Gate::new();
        assert_eq!(gate.enter("a", 1, 2), Place::Head);
        assert_eq!(gate.enter("a", 2, 2), Place::Waiting);
        assert_eq!(gate.enter("a", 3, 2), Place::Waiting);
        assert_eq!(gate.enter("a", 4, 2), Place::Full);
        assert_eq!(gate.enter("b", 5, 2), Place::Head);
        assert_eq!(gate.heads(), [1, 5]);
        assert!(gate.is_head("a", 1) && !gate.is_head("a", 2) && !gate.is_head("c", 1));
        assert_eq!(gate.leave("a", 2), None);
        assert_eq!(gate.leave("a", 1), Some(3));
        assert_eq!(gate.leave("a", 9), None);
        assert_eq!(gate.leave("a", 3), None);
        assert_eq!(gate.leave("b", 5), None);
        assert!(gate.is_empty());
    }
}
