//! Replays every file of `fuzz/corpus` and a few simple mutations of each, on stable Rust.

use std::{fs, panic, path::Path};

use cpm_fuzz_targets::TARGETS;

/// Mutations of each seed; libFuzzer does the rest.
const MUTATIONS: u64 = 16;

fn run(name: &str, body: fn(&[u8]), data: &[u8], from: &Path, mutation: u64) {
    if let Err(cause) = panic::catch_unwind(|| body(data)) {
        let shown = data.escape_ascii();
        let text = format!("{name} fails on {}, mutation {mutation}: b\"{shown}\"\n", from.display());
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        panic::resume_unwind(cause);
    }
}

/// Changes, doubles, removes or cuts, as a counter of fixed steps says.
fn mutate(data: &[u8], random: &mut u64) -> Vec<u8> {
    let mut next = |bound: usize| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*random >> 33).unwrap_or(0) % bound.max(1)
    };
    let mut out = data.to_vec();
    for _ in 0..=next(3) {
        let at = next(out.len());
        match next(5) {
            0 if !out.is_empty() => out[at] = u8::try_from(next(256)).unwrap_or(0),
            1 if !out.is_empty() => out[at] ^= 1 << next(8),
            2 => out.truncate(at),
            3 if !out.is_empty() => drop(out.remove(at)),
            _ => {
                let end = (at + next(24)).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
        }
    }
    out
}

fn replay(part: usize, parts: usize) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for (name, body) in TARGETS.into_iter().skip(part).step_by(parts) {
        let folder = corpus.join(name);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seeds");
        let mut random = 1;
        run(name, body, b"", &folder, 0);
        for path in files {
            let data = fs::read(&path).unwrap();
            run(name, body, &data, &path, 0);
            for mutation in 1..=MUTATIONS {
                run(name, body, &mutate(&data, &mut random), &path, mutation);
            }
        }
    }
}

#[test]
fn first_half() {
    replay(0, 2);
}

#[test]
fn second_half() {
    replay(1, 2);
}

/// Every folder of the corpus belongs to a target, and so does every libFuzzer wrapper.
#[test]
fn nothing_left_over() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let known: Vec<_> = TARGETS.iter().map(|target| target.0.to_owned()).collect();
    for (folder, suffix) in [("corpus", ""), ("fuzz_targets", ".rs")] {
        let mut found: Vec<_> = fs::read_dir(fuzz.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(suffix).to_owned())
            .collect();
        found.sort();
        assert_eq!(found, known, "{folder}");
    }
}
