//! Unpacking an untrusted archive, `.tar`, `.tar.gz` or `.zip`: only plain files and folders are accepted, no path may leave the
//! target folder, and the number of entries and their size are bounded.

use crate::files::sync_folder;
use crate::manifest::{ArchiveFormat, Unpacking};
use crate::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::{Component, Path, PathBuf};
use tar::EntryType;
use zip::ZipArchive;

/// Unpacks the archive at `path` into the new folder `into`, and syncs every file and folder to the disk.
///
/// # Errors
/// `Archive` for an archive that is damaged or refused (the text names the entry), `Io` when the file system fails.
/// `into` may then hold some of the files.
pub(super) fn unpack(path: &Path, unpacking: Unpacking, into: &Path) -> Result<()> {
    let file = taper_backend::files::open(path).map_err(Error::io("open", path))?;
    fs::create_dir_all(into).map_err(Error::io("create the folder", into))?;
    let source = BufReader::new(file);
    match unpacking.format {
        ArchiveFormat::Tar => tar(source, path, unpacking, into),
        ArchiveFormat::TarGz => tar_gz(source, path, unpacking, into),
        ArchiveFormat::Zip => zip(source, path, unpacking, into),
    }
}

/// Unpacks `source`, the bytes of a tar compressed with gzip, as [`tar`].
pub(crate) fn tar_gz(source: impl BufRead, path: &Path, unpacking: Unpacking, into: &Path) -> Result<()> {
    tar(MultiGzDecoder::new(source), path, unpacking, into)
}

/// Unpacks `source`, the bytes of a tar. `path` is named in errors.
///
/// Memory for an archive of N bytes: at most 1 MiB + 4 N, as long as its entries have names of the usual length. Long
/// names (the tar extensions of GNU and PAX) are read into memory whole, and only the bound on all decompressed bytes,
/// `max_unpacked_bytes` and 4 KiB for each entry, limits them.
fn tar(source: impl Read, path: &Path, unpacking: Unpacking, into: &Path) -> Result<()> {
    // The bound is on all decompressed bytes: headers, padding and long names come on top of the files.
    let headers = 4096 * (unpacking.max_entries as u64).saturating_add(16);
    let bound = unpacking.max_unpacked_bytes.saturating_add(headers);
    let mut target = Target::new(path, unpacking, into);
    let damaged = |error: io::Error| refused(path, format!("damaged: {error}"));
    let mut tar = tar::Archive::new(source.take(bound));
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = target.entry(&entry.path_bytes())?;
        match entry.header().entry_type() {
            EntryType::Directory => target.folder(&name)?,
            EntryType::Regular => target.file(&name, entry.size(), &mut entry)?,
            // A note about all entries, such as the commit that an archive was made of: nothing to unpack.
            EntryType::XGlobalHeader => {}
            other => return Err(target.neither(&name, other)),
        }
    }
    // After the last entry comes padding. It is read too, since the checksum of gzip, at the end, is of all bytes.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged)?;
    target.finish();
    Ok(())
}

/// Unpacks `source`, the bytes of a ZIP archive. `path` is named in errors.
///
/// Memory: 64 KiB, and some hundred bytes for each entry that the archive lists, which takes at least 46 bytes of it.
pub(crate) fn zip(source: impl Read + Seek, path: &Path, unpacking: Unpacking, into: &Path) -> Result<()> {
    let damaged = |error| refused(path, format!("damaged: {error}"));
    let mut target = Target::new(path, unpacking, into);
    let mut archive = ZipArchive::new(source).map_err(damaged)?;
    for place in 0..archive.len() {
        let mut entry = archive.by_index(place).map_err(damaged)?;
        let name = target.entry(entry.name_raw())?;
        if entry.is_symlink() {
            return Err(target.neither(&name, "Symlink"));
        }
        match entry.is_dir() {
            true => target.folder(&name)?,
            false => target.file(&name, entry.size(), &mut entry)?,
        }
    }
    target.finish();
    Ok(())
}

/// The error that the archive at `path` is not unpacked.
fn refused(path: &Path, detail: String) -> Error {
    Error::Archive { path: path.to_path_buf(), detail }
}

/// The folder that an archive is unpacked into.
struct Target<'a> {
    /// The archive.
    path: &'a Path,
    into: &'a Path,
    unpacking: Unpacking,
    entries: usize,
    bytes_left: u64,
    /// The folders that were written to, which are synced at the end.
    folders: BTreeSet<PathBuf>,
}

impl<'a> Target<'a> {
    fn new(path: &'a Path, unpacking: Unpacking, into: &'a Path) -> Self {
        let folders = BTreeSet::from([into.to_path_buf()]);
        Self { path, into, unpacking, entries: 0, bytes_left: unpacking.max_unpacked_bytes, folders }
    }

    fn refuse(&self, detail: String) -> Error {
        refused(self.path, detail)
    }

    /// The error of an entry of the kind `kind`.
    fn neither(&self, name: &str, kind: impl std::fmt::Debug) -> Error {
        self.refuse(format!("entry `{name}` is neither a file nor a folder ({kind:?})"))
    }

    /// Counts an entry, and returns its name.
    fn entry(&mut self, name: &[u8]) -> Result<String> {
        if self.entries >= self.unpacking.max_entries {
            return Err(self.refuse(format!("more than {} entries", self.unpacking.max_entries)));
        }
        self.entries += 1;
        // A lossy conversion could make the name equal to another entry's.
        String::from_utf8(name.to_vec())
            .map_err(|_| self.refuse(format!("entry `{}` has a name that is not UTF-8", name.escape_ascii())))
    }

    /// Where the entry `name` lies inside the folder.
    fn inside(&self, name: &str) -> Result<PathBuf> {
        safe_path(name).ok_or_else(|| self.refuse(format!("entry `{name}` leaves the folder")))
    }

    /// Creates the folder `name`.
    fn folder(&mut self, name: &str) -> Result<()> {
        let inside = self.inside(name)?;
        self.make(&inside)
    }

    /// Creates the folder `inside`.
    fn make(&mut self, inside: &Path) -> Result<()> {
        let folder = self.into.join(inside);
        fs::create_dir_all(&folder).map_err(Error::io("create the folder", &folder))?;
        self.folders.extend(inside.ancestors().map(|part| self.into.join(part)));
        Ok(())
    }

    /// Writes the file `name` of `size` bytes, which `content` gives. Of a longer one no more than a byte more is read.
    fn file(&mut self, name: &str, size: u64, content: &mut impl Read) -> Result<()> {
        let inside = self.inside(name)?;
        self.bytes_left = self.bytes_left.checked_sub(size).ok_or_else(|| {
            let most = self.unpacking.max_unpacked_bytes;
            self.refuse(format!("entry `{name}` exceeds the {most} bytes allowed in all"))
        })?;
        if inside.as_os_str().is_empty() {
            return Err(self.refuse(format!("entry `{name}` is a file without a name")));
        }
        self.make(inside.parent().unwrap_or(Path::new("")))?;
        let target = self.into.join(&inside);
        if target.exists() {
            return Err(self.refuse(format!("entry `{name}` comes twice")));
        }
        let mut file = File::create_new(&target).map_err(Error::io("write", &target))?;
        let damaged = |error: io::Error| self.refuse(format!("damaged: {error}"));
        let copied = copy(&mut content.take(size.saturating_add(1)), &mut file, &target, &damaged)?;
        if copied != size {
            return Err(self.refuse(format!("damaged: entry `{name}` has {copied} of its {size} bytes")));
        }
        file.sync_all().map_err(Error::io("write", &target))
    }

    /// Syncs all folders, the deepest first, so that the content of a folder is durable before the folder's own entry.
    fn finish(self) {
        self.folders.iter().rev().for_each(|folder| sync_folder(Some(folder)));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Cursor;
    use tar::{Builder, Header};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn archive(max_unpacked_bytes: u64, max_entries: usize) -> Unpacking {
        Unpacking { format: ArchiveFormat::TarGz, max_unpacked_bytes, max_entries }
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
    fn try_unpack(bytes: &[u8], unpacking: Unpacking) -> (Result<()>, tempfile::TempDir) {
        let outer = tempfile::tempdir().unwrap();
        let into = outer.path().join("into");
        fs::create_dir(&into).unwrap();
        let result = match unpacking.format {
            ArchiveFormat::Tar => tar(bytes, Path::new("a"), unpacking, &into),
            ArchiveFormat::TarGz => tar_gz(bytes, Path::new("a"), unpacking, &into),
            ArchiveFormat::Zip => zip(Cursor::new(bytes), Path::new("a"), unpacking, &into),
        };
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
        (result, outer)
    }

    fn refused(bytes: &[u8], unpacking: Unpacking) -> String {
        let (result, _outer) = try_unpack(bytes, unpacking);
        let text = result.unwrap_err().to_string();
        text.strip_prefix("a: archive refused: ").unwrap().to_string()
    }

    #[test]
    fn files_and_folders_are_unpacked() {
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::Directory, "data/", "", b"");
        entry(&mut tar, EntryType::Regular, "./data/a.bin", "", b"abc");
        entry(&mut tar, EntryType::Regular, "other/deep/b", "", b"");
        let tar = tar.into_inner().unwrap();
        let plain = Unpacking { format: ArchiveFormat::Tar, ..archive(3, 3) };
        for (result, outer) in [try_unpack(&gzip(&tar), archive(3, 3)), try_unpack(&tar, plain)] {
            result.unwrap();
            assert_eq!(fs::read(outer.path().join("into/data/a.bin")).unwrap(), b"abc");
            assert_eq!(fs::read(outer.path().join("into/other/deep/b")).unwrap(), b"");
        }
        assert!(refused(&tar[..700], plain).starts_with("damaged: "), "{}", refused(&tar[..700], plain));
        let few = Unpacking { max_entries: 2, ..plain };
        assert_eq!(refused(&tar, few), "more than 2 entries");
    }

    /// Archives of a commit, as GitHub makes them, begin with a note of the commit.
    #[test]
    fn a_note_about_all_entries_is_passed_over() {
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::XGlobalHeader, "pax_global_header", "", b"19 comment=0123456\n");
        entry(&mut tar, EntryType::Regular, "data/a", "", b"abc");
        let (result, outer) = try_unpack(&gzip(&tar.into_inner().unwrap()), archive(3, 2));
        result.unwrap();
        assert_eq!(fs::read_dir(outer.path().join("into")).unwrap().count(), 1);
        assert_eq!(fs::read(outer.path().join("into/data/a")).unwrap(), b"abc");
    }

    fn zipped(max_unpacked_bytes: u64, max_entries: usize) -> Unpacking {
        Unpacking { format: ArchiveFormat::Zip, ..archive(max_unpacked_bytes, max_entries) }
    }

    /// A ZIP archive of files with these names; one that ends in `/` is a folder.
    fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, data) in entries {
            match name.ends_with('/') {
                true => zip.add_directory(*name, SimpleFileOptions::default()).unwrap(),
                false => zip.start_file(*name, SimpleFileOptions::default()).unwrap(),
            }
            zip.write_all(data).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_zip_is_unpacked_within_the_same_bounds() {
        let bytes = zip_of(&[("data/", b""), ("data/a.csv", &[7; 500]), ("other/deep/b", b"")]);
        let (result, outer) = try_unpack(&bytes, zipped(500, 3));
        result.unwrap();
        assert_eq!(fs::read(outer.path().join("into/data/a.csv")).unwrap(), [7; 500]);
        assert_eq!(fs::read(outer.path().join("into/other/deep/b")).unwrap(), b"");
        assert_eq!(refused(&bytes, zipped(499, 3)), "entry `data/a.csv` exceeds the 499 bytes allowed in all");
        assert_eq!(refused(&bytes, zipped(500, 2)), "more than 2 entries");
        for name in ["../evil", "data/../../evil", "/evil", "C:\\evil"] {
            let text = refused(&zip_of(&[(name, b"x")]), zipped(100, 10));
            assert_eq!(text, format!("entry `{name}` leaves the folder"));
        }
        let mut link = ZipWriter::new(Cursor::new(Vec::new()));
        link.add_symlink("evil", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        let text = refused(&link.finish().unwrap().into_inner(), zipped(100, 10));
        assert_eq!(text, "entry `evil` is neither a file nor a folder (\"Symlink\")");
    }

    #[test]
    fn a_damaged_zip_is_said() {
        assert!(refused(b"not an archive", zipped(100, 10)).starts_with("damaged: "));
        // A file as it is, so that its checksum alone tells.
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file("a", stored).unwrap();
        zip.write_all(&[7; 500]).unwrap();
        let mut bytes = zip.finish().unwrap().into_inner();
        assert!(try_unpack(&bytes, zipped(999, 10)).0.is_ok());
        assert!(refused(&bytes[..bytes.len() / 2], zipped(999, 10)).starts_with("damaged: "));
        // The bytes of the file begin after the 30 bytes of its header and its name.
        bytes[33] ^= 1;
        let text = refused(&bytes, zipped(999, 10));
        assert!(text.starts_with("damaged: "), "{text}");
    }

    /// A file that is larger than the archive says is not written beyond its size.
    #[test]
    fn a_zip_cannot_hold_a_bomb() {
        let mut bytes = zip_of(&[("a", &[0; 100_000])]);
        // The size is in the header of the file and in the list at the end.
        let size = 100_000_u32.to_le_bytes();
        let places: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == size).collect();
        assert_eq!(places.len(), 2);
        places.into_iter().for_each(|at| bytes[at..at + 4].copy_from_slice(&10_u32.to_le_bytes()));
        let (result, outer) = try_unpack(&bytes, zipped(999, 10));
        let text = result.unwrap_err().to_string();
        assert!(text.contains("damaged: "), "{text}");
        assert!(size_of_folder(outer.path()) <= 11);
        // Whatever the reader of the archive holds back: no more than a byte too many is written.
        let (path, into) = (Path::new("a"), tempfile::tempdir().unwrap());
        let mut target = Target::new(path, zipped(999, 10), into.path());
        let text = target.file("a", 10, &mut io::repeat(0).take(100_000)).unwrap_err().to_string();
        assert_eq!(text, "a: archive refused: damaged: entry `a` has 11 of its 10 bytes");
        assert_eq!(size_of_folder(into.path()), 11);
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for name in ["../evil", "data/../../evil", "/evil", "..", "C:\\evil", "a\\..\\b", "c:evil"] {
            let text = refused(&one(EntryType::Regular, name, "", b"x"), archive(100, 10));
            assert_eq!(text, format!("entry `{name}` leaves the folder"));
        }
        let text = refused(&one(EntryType::Directory, "../evil", "", b""), archive(100, 10));
        assert_eq!(text, "entry `../evil` leaves the folder");
    }

    #[test]
    fn links_and_devices_are_refused() {
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char, EntryType::Block] {
            let text = refused(&one(kind, "evil", "/etc/passwd", b""), archive(100, 10));
            assert_eq!(text, format!("entry `evil` is neither a file nor a folder ({kind:?})"));
        }
    }

    #[test]
    fn sizes_and_counts_are_bounded() {
        let text = refused(&one(EntryType::Regular, "big", "", &[0; 101]), archive(100, 10));
        assert_eq!(text, "entry `big` exceeds the 100 bytes allowed in all");
        let mut tar = Builder::new(Vec::new());
        for name in ["a", "b", "c"] {
            entry(&mut tar, EntryType::Regular, name, "", &[0; 40]);
        }
        let bytes = gzip(&tar.into_inner().unwrap());
        assert_eq!(refused(&bytes, archive(100, 10)), "entry `c` exceeds the 100 bytes allowed in all");
        assert_eq!(refused(&bytes, archive(120, 2)), "more than 2 entries");
        assert!(try_unpack(&bytes, archive(120, 3)).0.is_ok());
    }

    #[test]
    fn a_long_name_cannot_hold_a_bomb() {
        // A GNU long name of 8 MiB, which a reader would take into memory.
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::GNULongName, "././@LongLink", "", &vec![b'a'; 8 << 20]);
        entry(&mut tar, EntryType::Regular, "a", "", b"x");
        let text = refused(&gzip(&tar.into_inner().unwrap()), archive(100, 10));
        assert!(text.starts_with("damaged: ") || text.contains("leaves the folder"), "{text}");
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::Regular, "a", "", b"x");
        entry(&mut tar, EntryType::Regular, "a", "", b"y");
        let text = refused(&gzip(&tar.into_inner().unwrap()), archive(100, 10));
        assert_eq!(text, "entry `a` comes twice");
    }

    #[test]
    fn damage_is_said() {
        let whole = one(EntryType::Regular, "a", "", &[7; 5000]);
        assert!(refused(&whole[..whole.len() / 2], archive(9999, 10)).starts_with("damaged: "));
        assert!(refused(b"not an archive", archive(9999, 10)).starts_with("damaged: "));
        // A tar that ends within an entry, in valid gzip.
        let mut tar = Builder::new(Vec::new());
        entry(&mut tar, EntryType::Regular, "a", "", &[7; 5000]);
        let text = refused(&gzip(&tar.into_inner().unwrap()[..2000]), archive(9999, 10));
        assert!(text.starts_with("damaged: "), "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0_usize..1536) {
            let _ = try_unpack(&bytes, zipped(1000, 4)).0;
            let _ = try_unpack(&bytes, archive(1000, 4)).0;
            let _ = try_unpack(&gzip(&bytes), archive(1000, 4)).0;
            // A valid archive with some bytes changed.
            let mut tar = Builder::new(Vec::new());
            entry(&mut tar, EntryType::Regular, "data/a", "", &[7; 300]);
            let mut tar = tar.into_inner().unwrap();
            let end = (at + bytes.len().min(8)).min(tar.len());
            let at = at.min(end);
            tar[at..end].copy_from_slice(&bytes[..end - at]);
            let (_, outer) = try_unpack(&gzip(&tar), archive(1000, 4));
            prop_assert!(size_of_folder(outer.path()) <= 1000);
            let mut zip = zip_of(&[("data/a", &[7; 300]), ("b", b"b")]);
            let end = (at + bytes.len().min(8)).min(zip.len());
            let at = at.min(end);
            zip[at..end].copy_from_slice(&bytes[..end - at]);
            let (_, outer) = try_unpack(&zip, zipped(1000, 4));
            prop_assert!(size_of_folder(outer.path()) <= 1000 + 1);
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
