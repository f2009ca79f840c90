//! `cpm-conformance [--table] [--ceiling FILE]`: the requirement matrix of this tree. With a ceiling, fails if
//! more requirements stand at code without a test than the file allows.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program

use cpm_conformance::{Matrix, scan, sources, uncovered};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("conformance: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut matrix = Matrix::new();
    for path in sources(&root).map_err(|e| e.to_string())? {
        if path.ends_with("tests/conformance/src/lib.rs") {
            continue; // its examples are no markers
        }
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        scan(&name, &text, &mut matrix)?;
    }
    let open = uncovered(&matrix);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--table" => {
                println!("| requirement | code | tests |\n|---|---|---|");
                for (id, places) in &matrix {
                    println!("| {id} | {} | {} |", places.code.join("<br>"), places.tests.join("<br>"));
                }
            }
            "--ceiling" => {
                let file = args.next().ok_or("--ceiling needs a file")?;
                let text = std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
                let ceiling: usize = text.trim().parse().map_err(|_| format!("{file} holds no number"))?;
                println!(
                    "{} requirements named, {} at code without a test (ceiling {ceiling}): {}",
                    matrix.len(),
                    open.len(),
                    open.join(" ")
                );
                if open.len() > ceiling {
                    return Err(format!("{} uncovered requirements are more than {ceiling}", open.len()));
                }
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(())
}
