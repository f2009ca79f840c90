//! One pending MESSAGE per Request-URI, the others wait in order (RFC 3428 §8, CONV-PM-015).

use std::collections::{BTreeMap, VecDeque};

/// FIFO lanes by Request-URI. The head of a lane is the one that may be on its way.
#[derive(Debug)]
pub(crate) struct Gate<T> {
    lanes: BTreeMap<Box<str>, VecDeque<T>>,
}

impl<T: Copy + PartialEq> Gate<T> {
    /// No lanes.
    pub(crate) fn new() -> Self {
        Self { lanes: BTreeMap::new() }
    }

    /// Puts `item` at the end of the lane of `uri` (its canonical form).
    // spec: CONV-PM-015
    pub(crate) fn push(&mut self, uri: &str, item: T) {
        match self.lanes.get_mut(uri) {
            Some(lane) => lane.push_back(item),
            None => {
                self.lanes.insert(uri.into(), VecDeque::from([item]));
            }
        }
    }

    /// Takes `item` out of its lane; what is the head afterwards, if the head changed.
    pub(crate) fn remove(&mut self, uri: &str, item: T) -> Option<T> {
        let lane = self.lanes.get_mut(uri)?;
        let was_head = lane.front() == Some(&item);
        lane.retain(|other| *other != item);
        let head = lane.front().copied();
        if head.is_none() {
            self.lanes.remove(uri);
        }
        head.filter(|_| was_head)
    }

    /// Whether `item` is the head of its lane.
    pub(crate) fn is_head(&self, uri: &str, item: T) -> bool {
        self.lanes.get(uri).and_then(VecDeque::front) == Some(&item)
    }

    /// The head of every lane, in the order of the URIs.
    pub(crate) fn heads(&self) -> Vec<T> {
        self.lanes.values().filter_map(|lane| lane.front().copied()).collect()
    }

    /// Whether nothing waits or is on its way.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;

    // test: CONV-PM-015
    #[test]
    fn one_head_per_uri_and_first_in_first_out() {
        let mut gate = Gate::new();
        gate.push("sip:b@x", 1);
        gate.push("sip:b@x", 2);
        gate.push("sip:c@x", 3);
        assert_eq!(gate.heads(), [1, 3]);
        assert!(gate.is_head("sip:b@x", 1) && !gate.is_head("sip:b@x", 2));
        assert_eq!(gate.remove("sip:b@x", 1), Some(2));
        assert_eq!(gate.remove("sip:b@x", 2), None);
        assert_eq!(gate.heads(), [3]);
        assert_eq!(gate.remove("sip:c@x", 3), None);
        assert!(gate.is_empty());
    }

    #[test]
    fn taking_a_waiting_item_leaves_the_head_alone() {
        let mut gate = Gate::new();
        for item in [1, 2, 3] {
            gate.push("sip:b@x", item);
        }
        assert_eq!(gate.remove("sip:b@x", 2), None);
        assert_eq!(gate.remove("sip:b@x", 9), None);
        assert_eq!(gate.remove("sip:b@x", 1), Some(3));
    }
}
