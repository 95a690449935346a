//! Unpacking an untrusted `.tar.gz`: only plain files and folders are accepted, no path may leave the target folder,
//! and the number of entries and their size are bounded.

use crate::files::sync_folder;
use crate::manifest::Archive;
use crate::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use tar::EntryType;

/// Unpacks the archive at `path` into the new folder `into`, and syncs every file and folder to the disk.
///
/// # Errors
/// `Archive` for an archive that is damaged or refused (the text names the entry), `Io` when the file system fails.
/// `into` may then hold some of the files.
pub(super) fn unpack(path: &Path, archive: &Archive, into: &Path) -> Result<()> {
    let file = taper_backend::files::open(path).map_err(Error::io("open", path))?;
    fs::create_dir_all(into).map_err(Error::io("create the folder", into))?;
    unpack_from(BufReader::new(file), path, archive, into)
}

/// Unpacks `source`, the bytes of the archive. `path` is named in errors.
///
/// Memory for an archive of N bytes: at most 1 MiB + 4 N, as long as its entries have names of the usual length. Long
/// names (the tar extensions of GNU and PAX) are read into memory whole, and only the bound on all decompressed bytes,
/// `max_unpacked_bytes` and 4 KiB for each entry, limits them.
pub(crate) fn unpack_from(source: impl BufRead, path: &Path, archive: &Archive, into: &Path) -> Result<()> {
    let refuse = |detail: String| Error::Archive { path: path.to_path_buf(), detail };
    let damaged = |error: io::Error| refuse(format!("damaged: {error}"));
    // The bound is on all decompressed bytes: headers, padding and long names come on top of the files.
    let bound = archive.max_unpacked_bytes.saturating_add(4096 * (archive.max_entries as u64).saturating_add(16));
    let mut tar = tar::Archive::new(MultiGzDecoder::new(source).take(bound));
    let mut bytes_left = archive.max_unpacked_bytes;
    let mut folders = BTreeSet::from([into.to_path_buf()]);
    for (count, entry) in tar.entries().map_err(damaged)?.enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if count >= archive.max_entries {
            return Err(refuse(format!("more than {} entries", archive.max_entries)));
        }
        // A lossy conversion could make the name equal to another entry's.
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(|name| {
            refuse(format!("entry `{}` has a name that is not UTF-8", name.as_bytes().escape_ascii()))
        })?;
        let inside = safe_path(&name).ok_or_else(|| refuse(format!("entry `{name}` leaves the folder")))?;
        let target = into.join(&inside);
        match entry.header().entry_type() {
            EntryType::Directory => make_folder(into, &inside, &mut folders)?,
            EntryType::Regular => {
                let size = entry.size();
                bytes_left = bytes_left.checked_sub(size).ok_or_else(|| {
                    refuse(format!("entry `{name}` exceeds the {} bytes allowed in all", archive.max_unpacked_bytes))
                })?;
                if inside.as_os_str().is_empty() {
                    return Err(refuse(format!("entry `{name}` is a file without a name")));
                }
                make_folder(into, inside.parent().unwrap_or(Path::new("")), &mut folders)?;
                if target.exists() {
                    return Err(refuse(format!("entry `{name}` comes twice")));
                }
                let mut file = File::create_new(&target).map_err(Error::io("write", &target))?;
                let copied = copy(&mut entry, &mut file, &target, &damaged)?;
                if copied != size {
                    return Err(refuse(format!("damaged: entry `{name}` has {copied} of its {size} bytes")));
                }
                file.sync_all().map_err(Error::io("write", &target))?;
            }
            other => return Err(refuse(format!("entry `{name}` is neither a file nor a folder ({other:?})"))),
        }
    }
    // After the last entry comes padding. It is read too, since gzip's checksum, at the end, is of all bytes.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged)?;
    // Deepest first, so that the content of a folder is durable before the folder's own entry.
    folders.iter().rev().for_each(|folder| sync_folder(Some(folder)));
    Ok(())
}

/// Copies `entry` to `file`. A failed read is an `Archive` error, a failed write an `Io` error.
fn copy(entry: &mut impl Read, file: &mut File, target: &Path, damaged: &impl Fn(io::Error) -> Error) -> Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let count = entry.read(&mut buffer).map_err(damaged)?;
        if count == 0 {
            return Ok(copied);
        }
        file.write_all(&buffer[..count]).map_err(Error::io("write", target))?;
        copied += count as u64;
    }
}

/// `name` as a relative path that stays inside its folder on every system, or `None`: no root, drive, `..` or
/// backslash, and at most 1024 bytes.
fn safe_path(name: &str) -> Option<PathBuf> {
    if name.contains(['\\', ':', '\0']) || name.len() > 1024 {
        return None;
    }
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(path)
}

/// Creates the folder `inside` in `into`, and adds it and its parents to `folders`, which are synced at the end.
fn make_folder(into: &Path, inside: &Path, folders: &mut BTreeSet<PathBuf>) -> Result<()> {
    let folder = into.join(inside);
    fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
    folders.extend(inside.ancestors().map(|part| into.join(part)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use tar::{Builder, Header};

    fn archive(max_unpacked_bytes: u64, max_entries: usize) -> Archive {
        let cifar = crate::Manifest::parse(include_str!("../../datasets/cifar10.toml")).unwrap();
        Archive { max_unpacked_bytes, max_entries, ..cifar.archive.unwrap() }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Appends an entry whose name is written without a check.
    fn entry(tar: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, data: &[u8]) {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, data).unwrap();
    }

    fn one(kind: EntryType, name: &str, link: &str, data: &[u8]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, kind, name, link, data);
        gzip(&tar.into_inner().unwrap())
    }

    /// Unpacks into `outer/into`, and checks that nothing but `into` is in `outer`.
    fn try_unpack(bytes: &[u8], archive: &Archive) -> (Result<()>, tempfile::TempDir) {
        let outer = tempfile::tempdir().unwrap();
        let into = outer.path().join("into");
        fs::create_dir(&into).unwrap();
        let result = unpack_from(bytes, Path::new("a.tar.gz"), archive, &into);
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
        (result, outer)
    }

    fn refused(bytes: &[u8], archive: &Archive) -> String {
        let (result, _outer) = try_unpack(bytes, archive);
        let text = result.unwrap_err().to_string();
        text.strip_prefix("a.tar.gz: archive refused: ").unwrap().to_string()
    }

    #[test]
    fn files_and_folders_are_unpacked() {
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::Directory, "data/", "", b"");
        entry(&mut tar, EntryType::Regular, "./data/a.bin", "", b"abc");
        entry(&mut tar, EntryType::Regular, "other/deep/b", "", b"");
        let (result, outer) = try_unpack(&gzip(&tar.into_inner().unwrap()), &archive(3, 3));
        result.unwrap();
        assert_eq!(fs::read(outer.path().join("into/data/a.bin")).unwrap(), b"abc");
        assert_eq!(fs::read(outer.path().join("into/other/deep/b")).unwrap(), b"");
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for name in ["../evil", "data/../../evil", "/evil", "..", "C:\\evil", "a\\..\\b", "c:evil"] {
            let text = refused(&one(EntryType::Regular, name, "", b"x"), &archive(100, 10));
            assert_eq!(text, format!("entry `{name}` leaves the folder"));
        }
        let text = refused(&one(EntryType::Directory, "../evil", "", b""), &archive(100, 10));
        assert_eq!(text, "entry `../evil` leaves the folder");
    }

    #[test]
    fn links_and_devices_are_refused() {
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char, EntryType::Block] {
            let text = refused(&one(kind, "evil", "/etc/passwd", b""), &archive(100, 10));
            assert_eq!(text, format!("entry `evil` is neither a file nor a folder ({kind:?})"));
        }
    }

    #[test]
    fn sizes_and_counts_are_bounded() {
        let text = refused(&one(EntryType::Regular, "big", "", &[0; 101]), &archive(100, 10));
        assert_eq!(text, "entry `big` exceeds the 100 bytes allowed in all");
        let mut tar = Builder::new(Vec::new());
        for name in ["a", "b", "c"] {
            entry(&mut tar, EntryType::Regular, name, "", &[0; 40]);
        }
        let bytes = gzip(&tar.into_inner().unwrap());
        assert_eq!(refused(&bytes, &archive(100, 10)), "entry `c` exceeds the 100 bytes allowed in all");
        assert_eq!(refused(&bytes, &archive(120, 2)), "more than 2 entries");
        assert!(try_unpack(&bytes, &archive(120, 3)).0.is_ok());
    }

    #[test]
    fn a_long_name_cannot_hold_a_bomb() {
        // A GNU long name of 8 MiB, which a reader would take into memory.
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::GNULongName, "././@LongLink", "", &vec![b'a'; 8 << 20]);
        entry(&mut tar, EntryType::Regular, "a", "", b"x");
        let text = refused(&gzip(&tar.into_inner().unwrap()), &archive(100, 10));
        assert!(text.starts_with("damaged: ") || text.contains("leaves the folder"), "{text}");
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::Regular, "a", "", b"x");
        entry(&mut tar, EntryType::Regular, "a", "", b"y");
        let text = refused(&gzip(&tar.into_inner().unwrap()), &archive(100, 10));
        assert_eq!(text, "entry `a` comes twice");
    }

    #[test]
    fn damage_is_said() {
        let whole = one(EntryType::Regular, "a", "", &[7; 5000]);
        assert!(refused(&whole[..whole.len() / 2], &archive(9999, 10)).starts_with("damaged: "));
        assert!(refused(b"not an archive", &archive(9999, 10)).starts_with("damaged: "));
        // A tar that ends within an entry, in valid gzip.
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::Regular, "a", "", &[7; 5000]);
        let text = refused(&gzip(&tar.into_inner().unwrap()[..2000]), &archive(9999, 10));
        assert!(text.starts_with("damaged: "), "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0_usize..1536) {
            let _ = try_unpack(&bytes, &archive(1000, 4)).0;
            let _ = try_unpack(&gzip(&bytes), &archive(1000, 4)).0;
            // A valid archive with some bytes changed.
            let mut tar = Builder::new(Vec::new());
            entry(&mut tar, EntryType::Regular, "data/a", "", &[7; 300]);
            let mut tar = tar.into_inner().unwrap();
            let end = (at + bytes.len().min(8)).min(tar.len());
            let at = at.min(end);
            tar[at..end].copy_from_slice(&bytes[..end - at]);
            let (_, outer) = try_unpack(&gzip(&tar), &archive(1000, 4));
            prop_assert!(size_of_folder(outer.path()) <= 1000);
        }

        #[test]
        fn no_name_leaves_the_folder(name in "[./\\\\a:]{0,12}") {
            if let Some(path) = safe_path(&name) {
                prop_assert!(path.components().all(|c| matches!(c, Component::Normal(_))), "{}", path.display());
            }
        }
    }

    fn size_of_folder(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { size_of_folder(&path) } else { path.metadata().unwrap().len() }).sum()
    }
}
