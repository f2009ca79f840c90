//! Octets looked at, counted in tests only: a doubled input may cost at most about twice the work (threats §12).

#[cfg(test)]
std::thread_local! {
    static WORK: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// Notes that so many octets were looked at.
#[inline(always)]
pub(crate) fn looked_at(octets: usize) {
    #[cfg(test)]
    WORK.with(|work| work.set(work.get().saturating_add(octets)));
    let _ = octets;
}

/// What `read` costs.
#[cfg(test)]
pub(crate) fn measure(read: impl FnOnce()) -> usize {
    let before = WORK.with(core::cell::Cell::get);
    read();
    WORK.with(core::cell::Cell::get).saturating_sub(before)
}
