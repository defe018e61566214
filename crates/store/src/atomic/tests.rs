use super::*;
use tempfile::tempdir;

const OURS: &str = "{\"tamis\":\"0.1.0\"}";

/// All entries below a folder, hidden ones too.
fn tree(path: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            out.extend(tree(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            out.push(name);
        }
    }
    out.sort();
    out
}

fn message<T>(result: Result<T, Error>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn a_file_appears_only_at_its_commit() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("new/below/out.jsonl");
    let mut file = AtomicFile::create("output", &path, false).unwrap();
    let long = vec![b'x'; BUFFER * 2 + 5];
    for part in [&b"abc"[..], &long, b"", b"end"] {
        file.write_all(part).unwrap();
    }
    assert!(!path.exists());
    file.commit().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), [&b"abc"[..], &long, b"end"].concat());
    assert_eq!(tree(dir.path()), ["new/below/out.jsonl"]);
}

#[test]
fn a_file_given_up_leaves_nothing() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("out");
    let mut file = AtomicFile::create("output", &path, false).unwrap();
    file.write_all(b"abc").unwrap();
    assert_eq!(tree(dir.path()).len(), 1);
    drop(file);
    assert!(tree(dir.path()).is_empty());
}

#[test]
fn an_existing_file_is_replaced_only_by_force() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("out");
    std::fs::write(&path, "old").unwrap();
    assert!(message(AtomicFile::create("output", &path, false)).contains("--force"));
    let mut file = AtomicFile::create("output", &path, true).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    file.commit().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    // Another run that was faster is not overwritten either.
    let late = dir.path().join("late");
    let file = AtomicFile::create("output", &late, false).unwrap();
    std::fs::write(&late, "faster").unwrap();
    assert!(message(file.commit()).contains("exists"));
    assert_eq!(std::fs::read(&late).unwrap(), b"faster");
    assert_eq!(tree(dir.path()), ["late", "out"]);
}

#[test]
fn what_cannot_be_a_target_is_refused_at_the_start() {
    let dir = tempdir().unwrap();
    assert!(message(AtomicFile::create("output", dir.path(), true)).contains("is a folder"));
    assert!(message(AtomicFile::create("output", Path::new("/"), true)).contains("no name"));
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(AtomicFile::create("output", &file.join("below"), true).err().unwrap().code(), "ERR_TAMIS_IO");
    assert!(message(AtomicFolder::create(&file, true)).contains("is a file"));
    #[cfg(unix)]
    assert!(
        message(AtomicFile::create("output", Path::new("/dev/null"), true)).contains("not a regular file")
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed() {
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("real"), "old").unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("real", &link).unwrap();
    let mut file = AtomicFile::create("output", &link, true).unwrap();
    file.write_all(b"new").unwrap();
    file.commit().unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read(dir.path().join("real")).unwrap(), b"new");
}

#[test]
fn a_files_manifest_comes_last_and_marks_it_complete() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("out.jsonl");
    for round in ["first", "second"] {
        let mut out = Output::file(&path, round == "second").unwrap();
        assert_eq!(is_complete(&path), round == "second");
        if let Output::File(file) = &mut out {
            file.write_all(round.as_bytes()).unwrap();
        }
        let manifest = out.commit(OURS).unwrap();
        assert_eq!(manifest, manifest_beside(&path));
        assert!(is_complete(&path));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), round);
        assert_eq!(std::fs::read_to_string(&manifest).unwrap(), OURS);
    }
    assert_eq!(tree(dir.path()), ["out.jsonl", "out.jsonl.manifest.json"]);
    for wrong in ["", "[]", "{}", "{\"tamis\":1", "{\"tamis\":1} x"] {
        let out = Output::file(&path, true).unwrap();
        assert!(message(out.commit(wrong)).contains("manifest must"), "{wrong}");
    }
    let other = dir.path().join("other");
    std::fs::write(manifest_beside(&other), "{\"name\":\"an app\"}").unwrap();
    assert!(message(Output::file(&other, true)).contains("not a manifest of tamis"));
}

fn fill(folder: &mut AtomicFolder, names: &[&str]) {
    for name in names {
        let mut file = folder.file(Path::new(name)).unwrap();
        file.write_all(name.as_bytes()).unwrap();
        file.finish().unwrap();
    }
}

#[test]
fn a_folder_is_swapped_in_whole() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("out");
    let mut folder = AtomicFolder::create(&path, false).unwrap();
    fill(&mut folder, &["a.jsonl", "b/c/d.jsonl"]);
    assert!(!path.exists());
    folder.commit(OURS).unwrap();
    assert_eq!(tree(dir.path()), ["out/a.jsonl", "out/b/c/d.jsonl", "out/manifest.json"]);
    assert!(is_complete(&path));

    assert!(message(AtomicFolder::create(&path, false)).contains("--force"));
    let mut folder = AtomicFolder::create(&path, true).unwrap();
    fill(&mut folder, &["e.jsonl"]);
    assert_eq!(tree(&path).len(), 3);
    folder.commit(OURS).unwrap();
    assert_eq!(tree(dir.path()), ["out/e.jsonl", "out/manifest.json"]);

    let mut folder = AtomicFolder::create(&path, true).unwrap();
    fill(&mut folder, &["f.jsonl"]);
    drop(folder);
    assert_eq!(tree(dir.path()), ["out/e.jsonl", "out/manifest.json"]);
}

#[test]
fn a_folder_that_tamis_did_not_make_is_never_replaced() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("home");
    std::fs::create_dir(&path).unwrap();
    AtomicFolder::create(&path, false).unwrap().commit(OURS).unwrap();
    assert_eq!(tree(&path), ["manifest.json"]);
    std::fs::write(path.join("manifest.json"), "{\"name\":\"an app\"}").unwrap();
    assert!(message(AtomicFolder::create(&path, true)).contains("even with --force"));
    std::fs::remove_file(path.join("manifest.json")).unwrap();
    std::fs::write(path.join("thesis.tex"), "").unwrap();
    assert!(message(AtomicFolder::create(&path, true)).contains("even with --force"));
    // Or one that appeared while the run worked.
    let late = dir.path().join("late");
    let folder = AtomicFolder::create(&late, true).unwrap();
    std::fs::create_dir(&late).unwrap();
    std::fs::write(late.join("mine"), "").unwrap();
    assert!(message(folder.commit(OURS)).contains("even with --force"));
    assert_eq!(tree(dir.path()), ["home/thesis.tex", "late/mine"]);
}

#[test]
fn names_stay_inside_the_folder() {
    let dir = tempdir().unwrap();
    let mut folder = AtomicFolder::create(&dir.path().join("out"), false).unwrap();
    for name in ["", "..", "../x", "/x", "a/../../x", "./x", "manifest.json"] {
        assert!(message(folder.file(Path::new(name))).contains("cannot be the name"), "{name}");
    }
    fill(&mut folder, &["a"]);
    assert!(folder.file(Path::new("a")).is_err());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempdir().unwrap();
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write anywhere: /proc refuses it too.
    let place = if rustix::process::geteuid().is_root() { PathBuf::from("/proc/closed") } else { closed };
    for result in [
        AtomicFile::create("output", &place.join("x"), true).map(drop),
        AtomicFolder::create(&place.join("x"), true).map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.code(), "ERR_TAMIS_IO");
        assert!(error.to_string().contains("closed"), "{error}");
    }
}
