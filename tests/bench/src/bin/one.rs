//! One contender on one message, so many times, for an instruction counter: `one NAME MESSAGE parse|typed CALLS`.
//! `one list` names all pairs. Status 3: the contender cannot.

use cpm_bench::contenders;
use cpm_bench::fixtures;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["list"] => {
            for contender in contenders::all() {
                for fixture in fixtures::all() {
                    println!("{}\t{}", contender.name, fixture.name);
                }
            }
        }
        [name, message, call, calls] => run(name, message, call, calls.parse().expect("a number")),
        _ => panic!("usage: one list | NAME MESSAGE parse|typed CALLS"),
    }
}

fn run(name: &str, message: &str, call: &str, calls: usize) {
    let contender = contenders::all().into_iter().find(|contender| contender.name == name);
    let contender = contender.expect("a contender");
    let fixture = fixtures::all().into_iter().find(|fixture| fixture.name == message).expect("a message");
    let call = if call == "typed" { contender.typed } else { Some(contender.parse) };
    let Some(call) = call.filter(|call| call(&fixture.raw).is_some()) else { std::process::exit(3) };
    for _ in 0..calls {
        std::hint::black_box(call(std::hint::black_box(&fixture.raw)));
    }
}
