use super::*;

fn text(error: &OpenError) -> String {
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// Every file with its content.
fn snapshot(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|e| e.unwrap().path())
        .map(|p| (p.clone(), fs::read(p).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_new_folder_is_made_and_opened_again() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    drop(Folder::open(&path).unwrap());
    assert_eq!(fs::read_to_string(path.join("version")).unwrap(), "cpm-store 1\n");
    let folder = Folder::open(&path).unwrap();
    assert_eq!(folder.database(), path.join("db"));
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    drop(Folder::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_in_use_is_refused_until_it_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let first = Folder::open(dir.path()).unwrap();
    let error = Folder::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(text(&error).ends_with("is in use by another process"));
    drop(first);
    Folder::open(dir.path()).unwrap();
}

#[test]
fn a_newer_folder_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("version"), "cpm-store 2\n").unwrap();
    fs::write(dir.path().join("something"), "of the future").unwrap();
    let before = snapshot(dir.path());
    let error = Folder::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 2, .. }));
    assert!(text(&error).contains("newer version (format 2, this one knows 1)"));
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn a_folder_of_something_else_is_refused_untouched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "do not touch").unwrap();
    let before = snapshot(dir.path());
    let error = Folder::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }));
    text(&error);
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn a_version_file_without_a_version_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    for content in [&b""[..], b"1\n", b"cpm-store \n", b"cpm-store 0\n", b"cpm-store -1\n", b"\xff\xfe"] {
        fs::write(dir.path().join("version"), content).unwrap();
        let error = Folder::open(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{content:?}: {error}");
        text(&error);
    }
}

#[test]
fn a_start_that_was_interrupted_is_taken_up_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("lock"), "").unwrap();
    fs::write(dir.path().join("version.new"), "cpm-st").unwrap();
    Folder::open(dir.path()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("version")).unwrap(), "cpm-store 1\n");
}

#[test]
fn a_file_in_place_of_the_folder_is_one_clear_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "x").unwrap();
    let error = Folder::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }));
    assert!(text(&error).starts_with("cannot use the data folder"));
}
