//! Compiles every source to PTX for every dtype, with the options used at run time, if NVRTC is found. It needs no
//! card.

use super::super::source::{Kernel, options};
use super::super::{ALL, source};
use candle_core::DType;
use libloading::Library;
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

/// Compute capabilities: of the oldest cards that CUDA 13 supports, and of H100 and H200.
const CARDS: [(i32, i32); 2] = [(7, 5), (9, 0)];

/// NVRTC, from the file or folder that `TAPER_NVRTC` names, from a CUDA toolkit, or from the system's library path.
fn nvrtc() -> Option<Library> {
    const NAMES: [&str; 3] = ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"];
    let mut places: Vec<PathBuf> = Vec::new();
    if let Some(place) = std::env::var_os("TAPER_NVRTC") {
        places.extend(NAMES.map(|name| PathBuf::from(&place).join(name)));
        places.push(place.into());
    }
    for variable in ["CUDA_PATH", "CUDA_HOME", "CUDA_ROOT"] {
        let Some(toolkit) = std::env::var_os(variable) else { continue };
        for folder in ["lib64", "lib", "targets/x86_64-linux/lib"] {
            places.extend(NAMES.map(|name| PathBuf::from(&toolkit).join(folder).join(name)));
        }
    }
    places.extend(NAMES.map(PathBuf::from));
    places.iter().find_map(|place| {
        // NVRTC loads its builtins library by name from the system's library path. It finds it elsewhere only if it is
        // loaded already.
        let beside = place.parent().filter(|_| place.exists()).and_then(|folder| folder.read_dir().ok());
        for file in beside.into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with("libnvrtc-builtins.so") {
                std::mem::forget(load(&file.path()));
            }
        }
        load(place)
    })
}

fn load(place: &Path) -> Option<Library> {
    // SAFETY: NVIDIA's compiler does nothing when it is loaded, nor when it is unloaded.
    unsafe { Library::new(place) }.ok()
}

/// Calls a function of NVRTC, which returns 0 on success.
macro_rules! call {
    ($library:expr, $name:literal: $($t:ty = $x:expr),*) => {{
        // SAFETY: the types are those of nvrtc.h, and what the pointers lead to outlives the call.
        unsafe {
            let f = $library.get::<unsafe extern "C" fn($($t),*) -> c_int>($name).expect("NVRTC has all its functions");
            f($($x),*)
        }
    }};
}

/// The PTX of `kernel`, or the compiler's log as an error.
fn compile(library: &Library, kernel: &Kernel, dtype: DType, card: (i32, i32)) -> Result<String, String> {
    let source = CString::new(kernel.source(dtype)).map_err(|e| e.to_string())?;
    let name = CString::new(format!("{}.cu", kernel.module(dtype))).map_err(|e| e.to_string())?;
    let options: Vec<CString> = options(card).into_iter().filter_map(|o| CString::new(o).ok()).collect();
    let options: Vec<*const c_char> = options.iter().map(|o| o.as_ptr()).collect();
    let mut program: *mut c_void = null_mut();
    let created = call!(library, b"nvrtcCreateProgram\0":
        *mut *mut c_void = &mut program, *const c_char = source.as_ptr(), *const c_char = name.as_ptr(), c_int = 0,
        *const *const c_char = null(), *const *const c_char = null());
    assert_eq!(created, 0, "nvrtcCreateProgram");
    let compiled = call!(library, b"nvrtcCompileProgram\0":
        *mut c_void = program, c_int = options.len() as c_int, *const *const c_char = options.as_ptr());
    let mut size = 0usize;
    let mut text;
    if compiled == 0 {
        call!(library, b"nvrtcGetPTXSize\0": *mut c_void = program, *mut usize = &mut size);
        text = vec![0u8; size];
        call!(library, b"nvrtcGetPTX\0": *mut c_void = program, *mut c_char = text.as_mut_ptr().cast());
    } else {
        call!(library, b"nvrtcGetProgramLogSize\0": *mut c_void = program, *mut usize = &mut size);
        text = vec![0u8; size];
        call!(library, b"nvrtcGetProgramLog\0": *mut c_void = program, *mut c_char = text.as_mut_ptr().cast());
    }
    call!(library, b"nvrtcDestroyProgram\0": *mut *mut c_void = &mut program);
    let text = String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned();
    if compiled == 0 { Ok(text) } else { Err(text) }
}

/// The first f64 instruction in `ptx`, if any. Kernels that do not compute in f64 should have none: they are slow on
/// most cards.
fn computes_in_f64(ptx: &str) -> Option<&str> {
    ptx.lines().map(str::trim).find(|line| {
        line.split_whitespace().any(|word| word.ends_with(".f64") && !word.starts_with(".reg"))
            && !line.starts_with(".reg")
            && !line.starts_with(".param")
    })
}

#[test]
fn every_source_compiles_to_ptx() {
    let Some(library) = nvrtc() else {
        println!("no libnvrtc found (TAPER_NVRTC may name it): the CUDA sources were not compiled to PTX");
        return;
    };
    let mut count = 0;
    for kernel in ALL {
        for &dtype in kernel.dtypes {
            for card in CARDS {
                let module = kernel.module(dtype);
                let ptx = compile(&library, kernel, dtype, card).unwrap_or_else(|log| panic!("{module}:\n{log}"));
                for entry in kernel.entries {
                    assert!(ptx.contains(&format!(".entry {entry}(")), "{module} has no {entry}");
                }
                assert_eq!(
                    ptx.matches(".entry ").count(),
                    kernel.entries.len(),
                    "{module} has entries that are not listed"
                );
                if dtype != DType::F64 {
                    assert_eq!(computes_in_f64(&ptx), None, "{module}");
                }
                count += 1;
            }
        }
    }
    println!("{count} modules compiled to PTX, for {CARDS:?}, blocks of {}", source::THREADS);
}

#[test]
fn what_the_compiler_refuses_is_seen() {
    let Some(library) = nvrtc() else { return };
    let wrong = Kernel { name: "wrong", text: "KERNEL wrong(T *y) { y[0] = x; }", dtypes: &[], entries: &[] };
    assert!(compile(&library, &wrong, DType::F32, CARDS[0]).is_err_and(|log| log.contains("\"x\" is undefined")));
}
