//! `mutate NAME|all COUNT SEED [KEEP]`: decodes COUNT mutated files, measures time and memory of each, and prints a
//! row of the table in docs/fuzzing.md. Inputs that panic, take over a second, or take more memory than is stated are
//! written to the folder KEEP.

use mutate::{DECODERS, Decoder, change, decode, seeds};
use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The system's allocator, which also counts the allocated bytes.
struct CountingAllocator;

/// The number of bytes that are allocated now.
static HELD: AtomicU64 = AtomicU64::new(0);
/// The peak of [`HELD`] since it was last reset.
static MOST: AtomicU64 = AtomicU64::new(0);

fn more(bytes: usize) {
    let held = HELD.fetch_add(bytes as u64, Relaxed) + bytes as u64;
    MOST.fetch_max(held, Relaxed);
}

fn less(bytes: usize) {
    HELD.fetch_sub(bytes as u64, Relaxed);
}

// SAFETY: every call is passed on to the system's allocator unchanged; the counters touch no memory that is handed out.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        less(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both blocks may exist while one is copied to the other.
        more(size);
        less(layout.size());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The number of panics so far, including those that a decoder turned into an error.
static PANICS: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(name), Some(count), Some(seed)) = (
        arguments.first(),
        arguments.get(1).and_then(|count| count.parse::<u64>().ok()),
        arguments.get(2).and_then(|seed| seed.parse::<u64>().ok()),
    ) else {
        eprintln!("mutate NAME|all COUNT SEED [KEEP]; NAME is one of {}", DECODERS.map(|d| d.name).join(", "));
        return ExitCode::FAILURE;
    };
    println!(
        "| decoder | inputs | taken | panics | turned into errors | slowest | most memory | stated for N bytes | over it |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut clean = true;
    for decoder in DECODERS.iter().filter(|decoder| name == "all" || decoder.name == name) {
        clean &= measure(decoder, count, seed, arguments.get(3).map(Path::new));
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures a decoder and prints its row. Returns whether there was no panic, and no limit was exceeded.
fn measure(decoder: &Decoder, count: u64, seed: u64, keep: Option<&Path>) -> bool {
    let name = decoder.name;
    let files = seeds::of(name);
    // Decoding the seed files first makes allocations that are made once, so that they are not counted for the first
    // input. At least one seed file has to be accepted.
    let whole = files.iter().filter(|file| decode(name, file)).count();
    assert!(whole > 0, "{name}: no file to begin from is read");
    // Panics are counted, not printed: there may be many.
    std::panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Relaxed);
    }));
    let (mut taken, mut escaped, mut over, mut slowest, mut most) = (0, 0, 0, Duration::ZERO, 0);
    let before = PANICS.load(Relaxed);
    for number in 0..count {
        let bytes = change::input(name, &files, seed, number);
        let held = HELD.load(Relaxed);
        MOST.store(held, Relaxed);
        let began = Instant::now();
        let found = catch_unwind(|| decode(name, &bytes));
        let time = began.elapsed();
        let memory = MOST.load(Relaxed).saturating_sub(held);
        let stated = (decoder.memory)(bytes.len() as u64);
        let panicked = found.is_err();
        taken += u64::from(found.unwrap_or(false));
        escaped += u64::from(panicked);
        over += u64::from(memory > stated);
        slowest = slowest.max(time);
        most = most.max(memory);
        let wrong = panicked || memory > stated || time > Duration::from_secs(1);
        if let Some(folder) = keep.filter(|_| wrong) {
            let path = folder.join(format!("{name}-{seed}-{number}"));
            let text = format!("{}: panic {panicked}, {time:?}, {memory} bytes of {stated}", path.display());
            eprintln!("{text}");
            if let Err(error) = std::fs::write(&path, &bytes) {
                eprintln!("{}: {error}", path.display());
            }
        }
    }
    drop(std::panic::take_hook());
    let turned = PANICS.load(Relaxed) - before - escaped;
    println!(
        "| {name} | {count} | {taken} | {escaped} | {turned} | {:.1} ms | {:.1} MiB | {} | {over} |",
        slowest.as_secs_f64() * 1e3,
        most as f64 / f64::from(1 << 20),
        decoder.stated
    );
    escaped == 0 && over == 0 && slowest < Duration::from_secs(2)
}
