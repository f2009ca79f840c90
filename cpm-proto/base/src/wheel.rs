//! Timers: a hierarchical wheel that arms, cancels and finds the next deadline in constant time.
//!
//! SIP arms and cancels far more timers than it fires, so both must be cheap. Time is counted in ticks of one
//! millisecond from the first `Now` the wheel sees. Level 0 has one slot a tick for the present block of 64
//! ticks, level 1 one slot a block for the present 64 blocks, and so on through five levels (about 12 days):
//!
//! ```text
//! level 0   |.|.|x|.|…  64 slots of 1 ms          a timer lies on the lowest level whose present
//! level 1   |.|x|.|.|…  64 slots of 64 ms         block holds its tick; when the clock enters a slot
//! level 2   |.|.|.|x|…  64 slots of 4.1 s         of a higher level, its timers move down: "cascade"
//! level 3   |.|.|.|.|…  64 slots of 4.4 min
//! level 4   |x|.|.|.|…  64 slots of 4.7 h
//! ```
//!
//! A deadline further away is kept at the far end and placed anew when that is reached. The lists of the slots
//! are doubly linked by index through one table of entries, so that cancelling needs no search.

use std::time::{Duration, Instant};

const LEVELS: usize = 5;
const SLOTS: usize = 64;
/// Bits of a tick that one level looks at.
const BITS: u32 = 6;
/// The list of timers whose tick has come; the lists before it are the slots, level by level.
const DUE: usize = LEVELS * SLOTS;
/// Ticks that five levels reach, less one slot of the last: placed there, a far timer never laps the clock.
const REACH: u64 = (1 << (BITS * LEVELS as u32)) - (1 << (BITS * (LEVELS as u32 - 1)));
const NONE: u32 = u32::MAX;

/// Names one armed timer; stale after it fired or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId {
    entry: u32,
    generation: u32,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    /// `None`: the entry is free.
    value: Option<T>,
    generation: u32,
    name: &'static str,
    /// The tick it fires at.
    tick: u64,
    /// Order of arming, for equal ticks.
    seq: u64,
    /// Which list it is on; small, so that an entry with a value of 8 bytes fills one cache line.
    list: u16,
    before: u32,
    after: u32,
}

#[derive(Debug, Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

/// Timers of one machine: arm, cancel and fire in deadline order, equal ticks in the order armed. A timer never
/// fires early, and at most one tick (1 ms) late.
///
/// ```
/// # use cpm_base::Wheel;
/// # use std::time::{Duration, Instant};
/// let now = Instant::now();
/// let mut timers = Wheel::new();
/// let e = timers.arm(now, now + Duration::from_millis(500), "sip.E", 'e');
/// timers.arm(now, now + Duration::from_secs(32), "sip.F", 'f');
/// assert_eq!(timers.cancel(e), Some('e'));
/// assert_eq!(timers.pop_due(now + Duration::from_secs(31)), None);
/// assert_eq!(timers.pop_due(now + Duration::from_secs(32)), Some('f'));
/// ```
#[derive(Debug, Clone)]
pub struct Wheel<T> {
    origin: Option<Instant>,
    /// The tick the wheel has come to: every timer on a slot fires later than this.
    elapsed: u64,
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    lists: Vec<List>,
    /// One bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    next_seq: u64,
    scratch: Vec<u32>,
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            origin: None,
            elapsed: 0,
            entries: Vec::new(),
            free: Vec::new(),
            lists: vec![List { first: NONE, last: NONE }; DUE + 1],
            occupied: [0; LEVELS],
            next_seq: 0,
            scratch: Vec::new(),
        }
    }
}

impl<T> Wheel<T> {
    /// No timers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Arms a timer for `at`, or for `now` where that is later; `name` is what `poll_timeout` shows.
    pub fn arm(&mut self, now: Instant, at: Instant, name: &'static str, value: T) -> TimerId {
        self.origin.get_or_insert(now);
        if self.is_empty() {
            self.elapsed = self.elapsed.max(self.tick_of(now));
        }
        // A deadline is rounded up, so that nothing fires early; one that has passed is due this very tick.
        let tick =
            if at <= now { self.tick_of(now) } else { self.tick_of(at + Duration::from_nanos(999_999)) };
        let seq = self.next_seq;
        self.next_seq += 1;
        let fresh = Entry {
            value: Some(value),
            generation: 0,
            name,
            tick,
            seq,
            list: DUE as u16,
            before: NONE,
            after: NONE,
        };
        let entry = match self.free.pop() {
            Some(entry) => {
                let slot = &mut self.entries[entry as usize];
                *slot = Entry { generation: slot.generation, ..fresh };
                entry
            }
            None => {
                self.entries.push(fresh);
                (self.entries.len() - 1) as u32
            }
        };
        self.place(entry);
        TimerId { entry, generation: self.entries[entry as usize].generation }
    }

    /// Takes the timer back before it fires; `None` if it is stale.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        let entry = self.entries.get(id.entry as usize)?;
        if entry.generation != id.generation || entry.value.is_none() {
            return None;
        }
        self.unlink(id.entry);
        self.release(id.entry)
    }

    /// The next timer that is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        let target = self.tick_of(now);
        loop {
            let first = self.lists[DUE].first;
            if first != NONE {
                self.unlink(first);
                return self.release(first);
            }
            match self.next_slot() {
                Some((level, slot, tick)) if tick <= target => {
                    self.elapsed = tick;
                    self.empty_slot(level, slot);
                }
                _ => {
                    self.elapsed = self.elapsed.max(target);
                    return None;
                }
            }
        }
    }

    /// The next moment to call `pop_due`, with the timer's name. For a far timer this may be the moment when
    /// it moves down a level, named `cascade`; it is then before the deadline.
    pub fn next(&self) -> Option<(Instant, &'static str)> {
        let origin = self.origin?;
        let moment = |tick| origin + Duration::from_millis(tick);
        if let Some(due) = self.entries.get(self.lists[DUE].first as usize) {
            return Some((moment(self.elapsed), due.name));
        }
        let (level, slot, tick) = self.next_slot()?;
        let name = match level {
            0 => self.entries[self.lists[slot].first as usize].name,
            _ => "cascade",
        };
        Some((moment(tick), name))
    }

    /// Armed timers.
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whole ticks from the origin to `at`; 0 before it.
    fn tick_of(&self, at: Instant) -> u64 {
        let since = self.origin.map_or(Duration::ZERO, |origin| at.saturating_duration_since(origin));
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Puts an entry on the list its tick belongs to, seen from `elapsed`.
    fn place(&mut self, entry: u32) {
        let tick = self.entries[entry as usize].tick;
        if tick <= self.elapsed {
            return self.link(entry, DUE);
        }
        let tick = tick.min(self.elapsed + REACH);
        // The highest bit in which the tick differs from the present one names the level.
        let differing = 63 - (tick ^ self.elapsed).leading_zeros();
        let level = ((differing / BITS) as usize).min(LEVELS - 1);
        let slot = (tick >> (BITS * level as u32)) as usize % SLOTS;
        self.occupied[level] |= 1 << slot;
        self.link(entry, level * SLOTS + slot);
    }

    /// The occupied slot the clock enters next: level, list and the tick it begins at.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        // Timers of a lower level all lie in the present slot of the level above: the first level wins.
        let level = self.occupied.iter().position(|bits| *bits != 0)?;
        let shift = BITS * level as u32;
        let present = self.elapsed >> shift;
        let turned = self.occupied[level].rotate_right((present % SLOTS as u64) as u32);
        // Never the present slot itself: what belongs there lies on a lower level, and nothing laps the clock.
        let ahead = u64::from(turned.trailing_zeros());
        let begin = present + ahead;
        Some((level, level * SLOTS + (begin % SLOTS as u64) as usize, begin << shift))
    }

    /// Moves the timers of a slot the clock has entered to where they belong now, in the order armed.
    fn empty_slot(&mut self, level: usize, list: usize) {
        let mut moving = std::mem::take(&mut self.scratch);
        let mut at = self.lists[list].first;
        while at != NONE {
            moving.push(at);
            at = self.entries[at as usize].after;
        }
        self.lists[list] = List { first: NONE, last: NONE };
        self.occupied[level] &= !(1 << (list % SLOTS));
        // Sorted already, except where timers came in from beyond the last level.
        moving.sort_unstable_by_key(|entry| self.entries[*entry as usize].seq);
        for entry in moving.drain(..) {
            self.place(entry);
        }
        self.scratch = moving;
    }

    fn link(&mut self, entry: u32, list: usize) {
        let last = std::mem::replace(&mut self.lists[list].last, entry);
        match last {
            NONE => self.lists[list].first = entry,
            last => self.entries[last as usize].after = entry,
        }
        let slot = &mut self.entries[entry as usize];
        (slot.list, slot.before, slot.after) = (list as u16, last, NONE);
    }

    fn unlink(&mut self, entry: u32) {
        let Entry { list, before, after, .. } = self.entries[entry as usize];
        let list = usize::from(list);
        match before {
            NONE => self.lists[list].first = after,
            before => self.entries[before as usize].after = after,
        }
        match after {
            NONE => self.lists[list].last = before,
            after => self.entries[after as usize].before = before,
        }
        if list != DUE && self.lists[list].first == NONE {
            self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
        }
    }

    /// Frees an unlinked entry; its names go stale.
    fn release(&mut self, entry: u32) -> Option<T> {
        let slot = &mut self.entries[entry as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(entry);
        slot.value.take()
    }
}

#[cfg(test)]
#[path = "wheel_tests.rs"]
mod tests;
