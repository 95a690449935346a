//! A memory pool: blocks that buffers are allocated from, retained when freed and reused.
//!
//! Training steps allocate the same sizes again and again. The system's allocator unmaps large blocks when they are
//! freed and maps new ones, which costs a page fault for every 4 KiB. The pool retains freed blocks by size class, and
//! serves an allocation with the smallest block that is large enough.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use taper_backend::{Element, Error, Result};

/// The alignment of every block, in bytes: a cache line, and the widest vector.
pub(crate) const ALIGNMENT: usize = 64;

/// The largest small block, in bytes. Small blocks serve small allocations only, and several are taken from the system
/// at a time: scalars that are not read yet, such as losses, accumulate over the steps, each in a block of its own.
const SMALL: usize = 4096;
/// The bytes of small blocks that are taken from the system at a time.
const SMALL_AT_ONCE: usize = 16 * 1024;

/// Element types of a [`Block`].
///
/// # Safety
/// Every pattern of bits must be a valid value, the alignment at most [`ALIGNMENT`], and dropping must do nothing.
pub(crate) unsafe trait Plain: Element {}
// SAFETY: numbers without invalid patterns and without drop glue.
unsafe impl Plain for f32 {}
// SAFETY: as above.
unsafe impl Plain for f64 {}
// SAFETY: as above; a wrapper of u16.
unsafe impl Plain for half::f16 {}
// SAFETY: as above; a wrapper of u16.
unsafe impl Plain for half::bf16 {}
// SAFETY: as above.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for i64 {}

/// A memory pool; clones share it. Blocks return to the pool when dropped, and are reused.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Default)]
struct Inner {
    free: Mutex<BTreeMap<usize, Vec<Raw>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// A free block: the address of as many bytes as its size class says.
struct Raw(NonNull<u8>);
// SAFETY: a `Raw` is the only owner of its memory.
unsafe impl Send for Raw {}

impl Pool {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner::default()))
    }

    /// The number of allocations that reused a free block.
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::Relaxed)
    }

    /// The number of allocations that took memory from the system. In a training run it stops growing after the first
    /// two steps, and smaller batches do not add to it either; a convolution's first tiles that are evaluated directly,
    /// because Winograd's error bound does not cover them, do.
    pub fn misses(&self) -> u64 {
        self.0.misses.load(Ordering::Relaxed)
    }

    /// The bytes of free blocks that the pool retains.
    pub fn retained_bytes(&self) -> usize {
        self.0.lock().iter().map(|(class, blocks)| class * blocks.len()).sum()
    }

    /// Returns all free blocks to the system.
    pub fn release(&self) {
        self.0.release();
    }

    /// A block of `len` elements, whose values are unspecified: whatever an earlier use left there.
    pub(crate) fn alloc<T: Plain>(&self, len: usize) -> Result<Block<T>> {
        self.take(len).map(|(block, _)| block)
    }

    /// A block of `len` zeros.
    pub(crate) fn alloc_zeroed<T: Plain>(&self, len: usize) -> Result<Block<T>> {
        let (mut block, fresh) = self.take::<T>(len)?;
        if !fresh {
            // SAFETY: the block holds `len` elements; zero bytes are a valid value of every `Plain` type.
            unsafe { block.as_mut_ptr().write_bytes(0, len) };
        }
        Ok(block)
    }

    /// A block, and whether it is fresh from the system (and so zero).
    fn take<T: Plain>(&self, len: usize) -> Result<(Block<T>, bool)> {
        let asked = (len as u64).checked_mul(size_of::<T>() as u64);
        let out_of_memory = || Error::OutOfMemory { backend: "cpu".to_owned(), asked, free: None, total: None };
        let bytes = Layout::array::<T>(len).map_err(|_| out_of_memory())?.size();
        let block = |ptr, class| Block { ptr, len, class, pool: self.0.clone(), element: PhantomData };
        if bytes == 0 {
            return Ok((block(NonNull::from(&NOTHING).cast(), 0), false));
        }
        let class = size_class(bytes).ok_or_else(out_of_memory)?;
        if let Some((class, raw)) = self.0.unused(class) {
            self.0.hits.fetch_add(1, Ordering::Relaxed);
            return Ok((block(raw.0, class), false));
        }
        self.0.misses.fetch_add(1, Ordering::Relaxed);
        let layout = Layout::from_size_align(class, ALIGNMENT).map_err(|_| out_of_memory())?;
        // SAFETY: the layout's size is not zero.
        let fresh = || NonNull::new(unsafe { alloc_zeroed(layout) });
        let ptr = fresh().or_else(|| {
            self.0.release();
            fresh()
        });
        let ptr = ptr.ok_or_else(out_of_memory)?;
        if class <= SMALL {
            let more = (1..SMALL_AT_ONCE / class).map_while(|_| fresh()).map(Raw);
            self.0.lock().entry(class).or_default().extend(more);
        }
        Ok((block(ptr, class), true))
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<Raw>>> {
        // No code panics while it holds the lock half-way through a change: the map is sound even if "poisoned".
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The smallest free block of at least `class` bytes, and its size: so the last, smaller batch of an epoch reuses
    /// the blocks of full batches. However much larger the block is, over a whole run this takes less memory than
    /// blocks that serve only their own size class.
    fn unused(&self, class: usize) -> Option<(usize, Raw)> {
        let most = if class <= SMALL { SMALL } else { usize::MAX };
        self.lock().range_mut(class..=most).find_map(|(&class, blocks)| Some((class, blocks.pop()?)))
    }

    fn release(&self) {
        for (class, blocks) in std::mem::take(&mut *self.lock()) {
            for raw in blocks {
                // SAFETY: allocated in `take` with this very layout (valid there, so valid here), and owned here alone.
                unsafe { dealloc(raw.0.as_ptr(), Layout::from_size_align_unchecked(class, ALIGNMENT)) };
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} hits, {} misses)", self.hits(), self.misses())
    }
}

/// The size class of an allocation of `bytes` (not 0), in bytes: the next multiple of an eighth of its power of two, so
/// at most an eighth is wasted. `None` if that exceeds the address space.
fn size_class(bytes: usize) -> Option<usize> {
    let step = (bytes.checked_next_power_of_two()? / 16).max(ALIGNMENT);
    bytes.checked_next_multiple_of(step)
}

/// Aligned memory for blocks of no elements to point at.
#[repr(align(64))]
struct Nothing;
static NOTHING: Nothing = Nothing;

/// `len` elements of a pool's memory, aligned to 64 bytes. Returns to the pool when dropped.
pub(crate) struct Block<T: Plain> {
    ptr: NonNull<u8>,
    len: usize,
    class: usize,
    pool: Arc<Inner>,
    element: PhantomData<T>,
}
// SAFETY: a block owns its memory alone, as a `Box<[T]>` does, and `Plain` types are `Send` and `Sync`.
unsafe impl<T: Plain> Send for Block<T> {}
// SAFETY: as above.
unsafe impl<T: Plain> Sync for Block<T> {}

impl<T: Plain> Deref for Block<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `take` made the block with room for `len` elements, aligned, and initialised (zeroed by the system,
        // then only written through `&mut [T]`s of types for which every pattern is valid).
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> DerefMut for Block<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as for `deref`, and `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> fmt::Debug for Block<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} × {})", self.len, T::DTYPE)
    }
}

impl<T: Plain> Drop for Block<T> {
    fn drop(&mut self) {
        if self.class > 0 {
            self.pool.lock().entry(self.class).or_default().push(Raw(self.ptr));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back() {
        let pool = Pool::new();
        for _ in 0..5 {
            let a = pool.alloc::<f32>(2000).unwrap();
            let b = pool.alloc::<f64>(1000).unwrap();
            assert_eq!(a.as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!((a.len(), b.len()), (2000, 1000));
        }
        assert_eq!((pool.misses(), pool.hits()), (2, 8));
        assert!(pool.retained_bytes() >= 16_000);
        pool.release();
        assert_eq!(pool.retained_bytes(), 0);
    }

    #[test]
    fn the_smallest_block_that_suffices_serves() {
        let pool = Pool::new();
        let blocks = [40_000, 20_000, 10_000].map(|len| pool.alloc::<f32>(len).unwrap());
        let starts = blocks.each_ref().map(|block| block.as_ptr() as usize);
        drop(blocks);
        let smaller = [7_000, 7_000, 18_000].map(|len| pool.alloc::<f32>(len).unwrap());
        assert_eq!(smaller.each_ref().map(|block| block.as_ptr() as usize), [starts[2], starts[1], starts[0]]);
        drop(smaller);
        // A freed block returns to its own size class, not to that of the smaller allocation that it served.
        let again = pool.alloc::<f32>(40_000).unwrap();
        assert_eq!((again.as_ptr() as usize, pool.misses()), (starts[0], 3));
    }

    /// Small blocks that are held, one more each step, are taken from the system several at a time; none takes a large
    /// block.
    #[test]
    fn small_blocks_come_several_at_a_time() {
        let pool = Pool::new();
        drop(pool.alloc::<f32>(1 << 20).unwrap());
        let held: Vec<_> = (0..200).map(|_| pool.alloc::<f64>(3).unwrap()).collect();
        assert_eq!((pool.misses(), pool.hits()), (2, 199));
        assert!(pool.retained_bytes() < (4 << 20) + SMALL_AT_ONCE, "{}", pool.retained_bytes());
        drop(held);
        pool.release();
        assert_eq!(pool.retained_bytes(), 0);
    }

    #[test]
    fn zeroed_is_zero_after_use() {
        let pool = Pool::new();
        pool.alloc::<f32>(100).unwrap().fill(f32::NAN);
        assert!(pool.alloc::<f32>(100).unwrap()[0].is_nan());
        assert!(pool.alloc_zeroed::<f32>(100).unwrap().iter().all(|&x| x == 0.0));
    }

    #[test]
    fn empty_and_impossible() {
        let pool = Pool::new();
        assert!(pool.alloc::<i64>(0).unwrap().is_empty());
        for len in [usize::MAX, isize::MAX as usize, isize::MAX as usize / 8, 1 << 59] {
            let asked = (len as u64).checked_mul(8);
            let due = Error::OutOfMemory { backend: "cpu".into(), asked, free: None, total: None };
            assert_eq!(pool.alloc::<f64>(len).err(), Some(due));
        }
    }

    #[test]
    fn classes_waste_little() {
        for bytes in (1..5000).chain([100_000, 1 << 20, (1 << 20) + 1]) {
            let class = size_class(bytes).unwrap();
            assert!(class >= bytes && class - bytes <= (bytes / 8).max(ALIGNMENT), "{bytes} {class}");
        }
        assert_eq!(size_class(usize::MAX), None);
    }
}
