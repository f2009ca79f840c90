//! Nonces that the server need not remember, and replay windows for those in use (threats 7.3).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
use cpm_base::Now;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const MAC_LEN: usize = 16;
const NONCE_LEN: usize = 8 + 8 + MAC_LEN;

/// What a nonce that a client sent back is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NonceState {
    /// Ours, for this peer, in time; the number names its window.
    Fresh(u64),
    /// Ours once, or forged: a new one is due.
    Stale,
}

/// Makes and checks nonces: time, counter and a MAC over both and the peer's address.
#[derive(Debug)]
pub(crate) struct Nonces {
    key: Key,
    lifetime: Duration,
    counter: u64,
    room: usize,
    /// By counter, so by age.
    windows: BTreeMap<u64, Window>,
    /// Nonces up to this number whose window is not here have been forgotten.
    forgotten: u64,
}

struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// The counts of one nonce that were seen: the highest, and the 64 below it.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    highest: u32,
    seen: u64,
    /// In seconds since the Unix epoch.
    expires: u64,
}

impl Window {
    /// Takes `nc` in; false if it was seen or is too old.
    fn accept(&mut self, nc: u32) -> bool {
        if nc > self.highest {
            let ahead = nc - self.highest;
            self.seen = if ahead >= 64 { 0 } else { self.seen << ahead };
            self.seen |= 1;
            self.highest = nc;
            return true;
        }
        let behind = self.highest - nc;
        let bit = 1u64.checked_shl(behind).unwrap_or(0);
        if bit == 0 || self.seen & bit != 0 {
            return false;
        }
        self.seen |= bit;
        true
    }
}

impl Nonces {
    pub(crate) fn new(key: [u8; 32], lifetime: Duration, room: usize) -> Self {
        let key = Key(Zeroizing::new(key));
        Self { key, lifetime, counter: 0, room, windows: BTreeMap::new(), forgotten: 0 }
    }

    pub(crate) fn make(&mut self, now: Now, peer: IpAddr) -> String {
        self.counter += 1;
        let (time, counter) = (now.unix_secs(), self.counter);
        let mut raw = [0u8; NONCE_LEN];
        let mac = self.mac(time, counter, peer);
        for (to, from) in
            raw.iter_mut().zip(time.to_be_bytes().iter().chain(&counter.to_be_bytes()).chain(&mac))
        {
            *to = *from;
        }
        BASE64.encode(raw)
    }

    // spec: RFC7616-3.3
    pub(crate) fn check(&self, now: Now, peer: IpAddr, nonce: &str) -> NonceState {
        let mut raw = [0u8; NONCE_LEN];
        if nonce.len() > 2 * NONCE_LEN || BASE64.decode_slice(nonce, &mut raw) != Ok(NONCE_LEN) {
            return NonceState::Stale;
        }
        let number =
            |from: usize| raw.iter().skip(from).take(8).fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        let (time, counter) = (number(0), number(8));
        let sent = raw.iter().skip(16).copied().collect::<Vec<u8>>();
        if !bool::from(self.mac(time, counter, peer).ct_eq(&sent)) {
            return NonceState::Stale;
        }
        let age = now.unix_secs().saturating_sub(time);
        if age >= self.lifetime.as_secs() {
            return NonceState::Stale;
        }
        if counter <= self.forgotten && !self.windows.contains_key(&counter) {
            return NonceState::Stale;
        }
        NonceState::Fresh(counter)
    }

    /// Takes the count `nc` of a fresh nonce, after the digest proved right; false for a replay.
    // spec: RFC7616-3.4
    pub(crate) fn accept(&mut self, now: Now, counter: u64, nc: u32) -> bool {
        self.expire(now);
        if !self.windows.contains_key(&counter) {
            while self.windows.len() >= self.room.max(1) {
                let Some((oldest, _)) = self.windows.pop_first() else { break };
                self.forgotten = self.forgotten.max(oldest);
            }
            if counter <= self.forgotten {
                return false;
            }
        }
        let expires = now.unix_secs().saturating_add(self.lifetime.as_secs());
        self.windows.entry(counter).or_insert(Window { expires, ..Window::default() }).accept(nc)
    }

    /// Windows in use.
    pub(crate) fn len(&self) -> usize {
        self.windows.len()
    }

    /// Drops windows whose nonces are too old to be accepted again.
    fn expire(&mut self, now: Now) {
        while let Some(entry) = self.windows.first_entry() {
            if entry.get().expires > now.unix_secs() {
                break;
            }
            self.forgotten = self.forgotten.max(*entry.key());
            entry.remove();
        }
    }

    fn mac(&self, time: u64, counter: u64, peer: IpAddr) -> [u8; MAC_LEN] {
        let mut text = [0u8; 33];
        let (family, address) = match peer.to_canonical() {
            IpAddr::V4(v4) => (4u8, v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => (6u8, v6.octets()),
        };
        let parts =
            time.to_be_bytes().into_iter().chain(counter.to_be_bytes()).chain([family]).chain(address);
        for (to, from) in text.iter_mut().zip(parts) {
            *to = from;
        }
        let full = hmac_sha256(&self.key.0, &text);
        let mut mac = [0u8; MAC_LEN];
        for (to, from) in mac.iter_mut().zip(full) {
            *to = from;
        }
        mac
    }
}

/// HMAC (RFC 2104) with SHA-256 and a key of one hash length.
pub(crate) fn hmac_sha256(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let pad = |fill: u8| {
        let mut block = Zeroizing::new([fill; 64]);
        for (to, from) in block.iter_mut().zip(key) {
            *to ^= from;
        }
        block
    };
    let inner = Sha256::new().chain_update(*pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(*pad(0x5c)).chain_update(inner).finalize().into()
}
