//! Data sets that are read when a batch asks for them take bounded memory, whatever they hold.
#![cfg(all(feature = "csv", feature = "images"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use taper_data::{Batch, Dataset};
use taper_data::{CsvOptions, PictureOptions, PictureSplits, Table, TableOptions, TableSource, TableSpec};

/// Counts the bytes that are allocated, and the most at one time.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the methods hand on to the system's allocator as they were called, and count beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(HELD.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes that `f` holds at one time, beside what is held before.
fn most(f: impl FnOnce()) -> usize {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    f();
    MOST.load(Relaxed) - before
}

/// One test, since all threads of the program are counted.
#[test]
fn memory_is_bounded_whatever_the_size_of_the_data() {
    pictures();
    rows();
}

/// 64 pictures, which take 12 MiB at 256 × 256 pixels, in 3 MiB.
fn pictures() {
    let dir = tempfile::tempdir().unwrap();
    let path = |i: usize| dir.path().join(["a", "b"][i % 2]).join(format!("{i}.png"));
    (0..2).for_each(|i| std::fs::create_dir(path(i).parent().unwrap()).unwrap());
    image::RgbImage::from_fn(320, 256, |x, y| image::Rgb([x as u8, y as u8, 9])).save(path(0)).unwrap();
    for i in 1..64 {
        std::fs::copy(path(0), path(i)).unwrap();
    }
    let held = most(|| {
        let data = PictureSplits::open(dir.path(), PictureOptions { size: 256, skip_bad: false }).unwrap().train;
        let mut batch = Batch::default();
        for first in (0..64).step_by(4) {
            batch.clear(4);
            data.fill(0, &[first, first + 1, first + 2, first + 3], &mut batch).unwrap();
        }
    });
    assert!(held > 700 << 10, "{held} bytes: a batch is held, so this was not counted");
    assert!(held < 3 << 20, "{held} bytes for pictures of 12 MiB");
}

/// A file of 8 MB in a quarter of that.
fn rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.csv");
    let mut text = "a,b,c,d,e,y\n".to_string();
    for i in 0..100_000 {
        writeln!(text, "{}.{i:018},{i:020},{:020},{},{}.25,{}", i % 97, i * 7, ["lily", "daisy"][i % 2], i % 3, i % 5)
            .unwrap();
    }
    std::fs::write(&path, &text).unwrap();
    let size = text.len();
    drop(text);
    assert!(size > 7_000_000, "{size}");
    let held = most(|| {
        let source = TableSource::open(&path, CsvOptions::default()).unwrap();
        let options = TableOptions { only: ["a", "d", "e"].map(String::from).to_vec(), ..TableOptions::new("y") };
        let spec = TableSpec::learn(&source, &options, None).unwrap();
        assert_eq!(spec.width(), 4);
        let table = Table::new(source, spec).unwrap();
        let mut batch = Batch::default();
        for first in (0..100_000).step_by(1000) {
            batch.clear(1000);
            table.fill(0, &(first..first + 1000).map(|i| i * 7919 % 100_000).collect::<Vec<_>>(), &mut batch).unwrap();
        }
    });
    assert!(held > 800_000, "{held} bytes: the places of the rows are held, so this was not counted");
    assert!(held < size / 4, "{held} bytes for a file of {size}");
}
