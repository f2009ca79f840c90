//! Non-INVITE round trips through the pure endpoint, beside sipx-sip.

use cpm_bench::rounds::medians;
use cpm_bench::trips::{Ours, sipx};

/// Round trips between two advances of the clock.
const BATCH: usize = 1_000;

fn main() {
    let (mut ours, mut theirs) = (Ours::default(), sipx::Peers::default());
    let times = medians(&mut [Box::new(|| ours.round_trips(BATCH)), Box::new(|| theirs.round_trips(BATCH))]);
    println!(
        "### Round trip of a 305 B MESSAGE: two transactions, all bytes written and parsed, timers fired\n"
    );
    println!("| contender | ns | per second | x |");
    println!("|---|---:|---:|---:|");
    for (name, time) in ["cpm-sip endpoint", "sipx-sip 1.0.1 transaction layer"].iter().zip(&times) {
        let trip = time / BATCH as f64;
        println!("| {name} | {trip:.0} | {:.0} | {:.2} |", 1e9 / trip, time / times[0]);
    }
}
