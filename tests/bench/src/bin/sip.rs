//! SIP parsers side by side: time of a parse and of typed access to six routing headers, as markdown tables.

use cpm_bench::contenders::{Contender, all};
use cpm_bench::fixtures::{self, Fixture};
use cpm_bench::rounds::{Job, medians};

/// What is timed.
type Call = fn(&bytes::Bytes) -> Option<usize>;

fn main() {
    let fixtures = fixtures::all();
    let contenders = all();
    println!("### Parse (ns, median; x: over httparse)\n");
    table(&fixtures, &contenders, |contender| Some(contender.parse));
    println!("\n### Typed access to six routing headers, parse included (ns, median; x: over httparse)\n");
    table(&fixtures, &contenders, |contender| {
        if contender.name.starts_with("httparse") { Some(contender.parse) } else { contender.typed }
    });
}

fn table(fixtures: &[Fixture], contenders: &[Contender], call: impl Fn(&Contender) -> Option<Call>) {
    let rows: Vec<(&str, Call)> =
        contenders.iter().filter_map(|contender| Some((contender.name, call(contender)?))).collect();
    print!("| contender |");
    for fixture in fixtures {
        print!(" {} {} B | x |", fixture.name, fixture.raw.len());
    }
    print!("\n|---|");
    fixtures.iter().for_each(|_| print!("---:|---:|"));
    let columns: Vec<Vec<Option<f64>>> = fixtures.iter().map(|fixture| column(fixture, &rows)).collect();
    let bound = rows.iter().position(|(name, _)| name.starts_with("httparse")).unwrap_or(0);
    for (row, (name, _)) in rows.iter().enumerate() {
        print!("\n| {name} |");
        for column in &columns {
            match (column[row], column[bound]) {
                (Some(time), Some(bound)) => print!(" {time:.0} | {:.2} |", time / bound),
                _ => print!(" fails | - |"),
            }
        }
    }
    println!();
}

/// The median of each row on one fixture; none where it cannot read it.
fn column(fixture: &Fixture, rows: &[(&str, Call)]) -> Vec<Option<f64>> {
    let able: Vec<bool> = rows.iter().map(|(_, call)| call(&fixture.raw).is_some()).collect();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for ((_, call), _) in rows.iter().zip(&able).filter(|(_, able)| **able) {
        let raw = fixture.raw.clone();
        jobs.push(Box::new(move || {
            std::hint::black_box(call(std::hint::black_box(&raw)));
        }));
    }
    let mut times = medians(&mut jobs).into_iter();
    able.into_iter().map(|able| if able { times.next() } else { None }).collect()
}
