//! The simulated world: virtual time, seeded links and store faults for any machine with flows.
