//! The requirement matrix: `// spec: ID` stands at code that fulfils a requirement, `// test: ID` at the test
//! that shows it. Several ids are parted by commas.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where one requirement is named.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Places {
    /// `file:line` of each `// spec:` marker.
    pub code: Vec<String>,
    /// `file:line` of each `// test:` marker.
    pub tests: Vec<String>,
}

/// Requirement id to its places, in order of ids.
pub type Matrix = BTreeMap<String, Places>;

/// Notes the markers of one source file under its name.
///
/// # Errors
/// `file:line: what` for a marker without a well-formed id.
pub fn scan(name: &str, text: &str, matrix: &mut Matrix) -> Result<(), String> {
    for (number, line) in text.lines().enumerate() {
        let Some((_, comment)) = line.split_once("// ") else { continue };
        let (ids, is_test) = if let Some(ids) = comment.strip_prefix("spec: ") {
            (ids, false)
        } else if let Some(ids) = comment.strip_prefix("test: ") {
            (ids, true)
        } else {
            continue;
        };
        let place = format!("{name}:{}", number + 1);
        for id in ids.split([',', ' ']).filter(|id| !id.is_empty()) {
            if !well_formed(id) {
                return Err(format!("{place}: `{id}` is no requirement id"));
            }
            let places = matrix.entry(id.to_owned()).or_default();
            if is_test { &mut places.tests } else { &mut places.code }.push(place.clone());
        }
    }
    Ok(())
}

/// `RFC3261-17.1.1.2`, `CONV-PF-012`, `MS-321`.
fn well_formed(id: &str) -> bool {
    let mut parts = id.split('-');
    let family = parts.next().unwrap_or("");
    let rest: Vec<&str> = parts.collect();
    !rest.is_empty()
        && rest.iter().all(|p| {
            !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') && !p.ends_with('.')
        })
        && family.starts_with(|c: char| c.is_ascii_uppercase())
        && family.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Ids that stand at code and at no test.
pub fn uncovered(matrix: &Matrix) -> Vec<&str> {
    matrix.iter().filter(|(_, p)| !p.code.is_empty() && p.tests.is_empty()).map(|(id, _)| &**id).collect()
}

/// All Rust sources under `root`, without build output, in order.
///
/// # Errors
/// What the file system says.
pub fn sources(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_and_paired() {
        let mut matrix = Matrix::new();
        let text =
            "    // spec: CONV-PM-010, RFC3261-17.1.1.2\n// test: CONV-PM-010\nlet x = 1; // spec: MS-321\n";
        scan("a.rs", text, &mut matrix).unwrap();
        assert_eq!(matrix["CONV-PM-010"].code, ["a.rs:1"]);
        assert_eq!(matrix["CONV-PM-010"].tests, ["a.rs:2"]);
        assert_eq!(uncovered(&matrix), ["MS-321", "RFC3261-17.1.1.2"]);
    }

    #[test]
    fn a_bad_id_is_an_error_that_names_its_place() {
        let error = scan("b.rs", "\n// spec: nonsense\n", &mut Matrix::new()).unwrap_err();
        assert_eq!(error, "b.rs:2: `nonsense` is no requirement id");
        for bad in ["CONV-", "CONV", "-1", "RFC3261-17.", "conv-pm-1", "A-b/c"] {
            assert!(scan("b.rs", &format!("// test: {bad}"), &mut Matrix::new()).is_err(), "{bad}");
        }
    }
}
