//! The only doors through which this crate changes a file system: each passes a [failpoint](crate::failpoint) first.

use crate::failpoint::pass;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

fn hook(kind: &'static str, op: &'static str) -> io::Result<()> {
    match pass(kind, op) {
        Some(blow) => Err(blow.strike()),
        None => Ok(()),
    }
}

/// Makes a file that must not exist yet.
pub(crate) fn create_new(kind: &'static str, path: &Path) -> io::Result<File> {
    hook(kind, "create")?;
    File::options().read(true).write(true).create_new(true).open(path)
}

/// Cuts a file to nothing.
pub(crate) fn truncate(kind: &'static str, file: &File) -> io::Result<()> {
    hook(kind, "truncate")?;
    file.set_len(0)
}

/// Writes all bytes.
pub(crate) fn write_all(kind: &'static str, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    if let Some(blow) = pass(kind, "write") {
        // A crash or a full disk leaves part of a write behind.
        file.write_all(&bytes[..bytes.len() / 2])?;
        return Err(blow.strike());
    }
    file.write_all(bytes)
}

/// Writes all bytes from a place of the file on; threads may do so at once, each at its own place.
pub(crate) fn write_all_at(kind: &'static str, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    if let Some(blow) = pass(kind, "write") {
        write_at(file, &bytes[..bytes.len() / 2], at)?;
        return Err(blow.strike());
    }
    write_at(file, bytes, at)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => (bytes, at) = (&bytes[n..], at + n as u64),
        }
    }
    Ok(())
}

/// Fills `out` from a place of the file on; threads may do so at once.
#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, out: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

/// Fills `out` from a place of the file on; threads may do so at once.
#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut out: &mut [u8], mut at: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => (out, at) = (&mut out[n..], at + n as u64),
        }
    }
    Ok(())
}

/// Waits until the file's bytes are on the disk.
pub(crate) fn sync(kind: &'static str, file: &File) -> io::Result<()> {
    hook(kind, "sync")?;
    file.sync_all()
}

/// Waits until a folder's entries (what was created, renamed or removed in it) are on the disk.
pub(crate) fn sync_folder(kind: &'static str, folder: &Path) -> io::Result<()> {
    hook(kind, "sync-folder")?;
    sync_entries(folder)
}

#[cfg(unix)]
fn sync_entries(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network and FUSE file systems cannot sync a folder; there, nothing more can be done.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}

/// Folders cannot be opened for syncing there; the file system orders its journal itself.
#[cfg(not(unix))]
fn sync_entries(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Renames, over what is there.
pub(crate) fn rename(kind: &'static str, from: &Path, to: &Path) -> io::Result<()> {
    hook(kind, "rename")?;
    std::fs::rename(from, to)
}

/// Renames, but fails with `AlreadyExists` where `to` exists.
pub(crate) fn rename_new(kind: &'static str, from: &Path, to: &Path) -> io::Result<()> {
    hook(kind, "rename")?;
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(error) if unsupported(error) => {}
            result => return Ok(result?),
        }
    }
    if std::fs::symlink_metadata(to).is_ok() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
    }
    std::fs::rename(from, to)
}

/// Swaps two entries in one step; `false` where the system or the file system cannot.
pub(crate) fn exchange(kind: &'static str, a: &Path, b: &Path) -> io::Result<bool> {
    hook(kind, "swap")?;
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
            Err(error) if unsupported(error) => Ok(false),
            result => {
                result?;
                Ok(true)
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    {
        let _ = (a, b);
        Ok(false)
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn unsupported(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}

/// Makes a folder that must not exist yet.
pub(crate) fn create_folder(kind: &'static str, path: &Path) -> io::Result<()> {
    hook(kind, "create")?;
    std::fs::create_dir(path)
}

/// Makes a folder that must not exist yet and that nobody else may look into.
pub(crate) fn create_private_folder(kind: &'static str, path: &Path) -> io::Result<()> {
    hook(kind, "create")?;
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a folder and those above it, where missing.
pub(crate) fn create_folders(kind: &'static str, path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    hook(kind, "create")?;
    std::fs::create_dir_all(path)
}

/// Removes a file; that it is not there is no error.
pub(crate) fn remove(kind: &'static str, path: &Path) -> io::Result<()> {
    hook(kind, "remove")?;
    absent_is_fine(std::fs::remove_file(path))
}

/// Removes a folder and all in it; that it is not there is no error.
pub(crate) fn remove_folder(kind: &'static str, path: &Path) -> io::Result<()> {
    hook(kind, "remove")?;
    absent_is_fine(std::fs::remove_dir_all(path))
}

/// Removes a folder if it is empty.
pub(crate) fn remove_empty_folder(kind: &'static str, path: &Path) -> io::Result<()> {
    hook(kind, "remove")?;
    std::fs::remove_dir(path)
}

/// Bytes that are free on the disk of a folder; 0 where that cannot be told.
pub(crate) fn free_bytes(folder: &Path) -> u64 {
    #[cfg(unix)]
    {
        rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        0
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
