//! Runs the CUDA sources on the CPU: every entry is compiled as plain C++ and run over its grid with the arguments that
//! a card would be given, and compared with its twin, the same computation in Rust.

use super::super::ALL;
use super::super::source::{Kernel, PRELUDE};
use super::cases::cases;
use super::recorder::{Recorded, values};
use candle_core::DType;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Threads in a block here: fewer than on a card, so that each thread takes several elements, and synchronising is
/// fast.
const THREADS: usize = 32;

/// All sources for all their dtypes as one C++ program, each pair of source and dtype in its own namespace.
fn program() -> String {
    let shim = include_str!("host.h");
    let mut text = format!("#define THREADS {THREADS}\n{shim}\n{PRELUDE}\n#undef KERNEL\n#define KERNEL static void\n");
    let mut dispatch = String::new();
    for kernel in ALL {
        for &dtype in kernel.dtypes {
            let module = kernel.module(dtype);
            text += &format!("namespace {module} {{\n{}{}\n}}\n", Kernel::types(dtype), kernel.text);
            let synchronises = kernel.text.contains("__syncthreads");
            for entry in kernel.entries {
                let name = format!("{module}::{entry}");
                dispatch += &format!("if (launch.name == \"{name}\") return start({name}, launch, {synchronises});\n");
            }
        }
    }
    text + &format!("static void dispatch(Launch &launch) {{\n{dispatch}fail(launch, \"no such kernel\");\n}}\n")
}

/// The program compiled in `folder`, with sanitizers if the compiler has them; `None` if there is no C++ compiler.
fn compile(folder: &Path, program: &str) -> Option<PathBuf> {
    let (source, binary) = (folder.join("kernels.cpp"), folder.join("kernels"));
    std::fs::write(&source, program).expect("the temporary folder can be written to");
    let mut refusal = String::new();
    for compiler in ["c++", "g++", "clang++", "cc"] {
        for sanitizers in [&["-fsanitize=address,undefined", "-fno-sanitize-recover"][..], &[]] {
            let mut command = Command::new(compiler);
            // No contraction to fused multiply-adds: the Rust twin has none.
            command.args(["-std=c++17", "-O0", "-ffp-contract=off", "-pthread"]).args(sanitizers);
            command.args(["-x", "c++"]).arg(&source).arg("-o").arg(&binary).args(["-lstdc++", "-lm"]);
            match command.output() {
                Ok(done) if done.status.success() => return Some(binary),
                Ok(done) => refusal = String::from_utf8_lossy(&done.stderr).into_owned(),
                Err(_) => break,
            }
        }
    }
    // Only errors that say that C++ is missing are excused, never an error in a kernel.
    let lacks = ["cannot execute", "unable to execute", "condition_variable", "cannot find -lstdc++", "not found"];
    assert!(refusal.is_empty() || lacks.iter().any(|l| refusal.contains(l)), "{refusal}");
    None
}

/// The program's input: the launches to run.
fn request(cases: &[(bool, Recorded)]) -> Vec<u8> {
    let number = |n: usize| (n as u64).to_ne_bytes();
    let mut bytes = number(cases.len()).to_vec();
    for (_, launch) in cases {
        let name = format!("{}::{}", launch.module, launch.entry);
        bytes.extend(number(name.len()));
        bytes.extend(name.as_bytes());
        [launch.blocks, launch.output, launch.arguments.len()].iter().for_each(|&n| bytes.extend(number(n)));
        for argument in &launch.arguments {
            bytes.extend(number(argument.len()));
            bytes.extend(argument);
        }
    }
    bytes
}

/// How the output `found` differs from the twin's, if it does. Errors are measured against the largest element of each
/// row (slice along the first dimension), since rows may be different quantities.
fn difference(launch: &Recorded, found: &[u8], exact: bool) -> Option<String> {
    let bound = match launch.written {
        _ if exact => 0.0,
        DType::F64 => 1e-13,
        // Sums of thousands of terms, in another order.
        DType::F32 => 4e-6,
        // One unit in the last place.
        DType::F16 => 0.5f64.powi(10),
        DType::BF16 => 0.5f64.powi(7),
        _ => 0.0,
    };
    let (found, expected) = (values(launch.written, found), values(launch.written, &launch.expected));
    if found.len() != expected.len() {
        return Some(format!("{} elements instead of {}", found.len(), expected.len()));
    }
    let rows = if launch.shape.len() > 1 { launch.shape[0].max(1) } else { 1 };
    let row = (expected.len() / rows).max(1);
    for (r, (found, expected)) in found.chunks(row).zip(expected.chunks(row)).enumerate() {
        let largest = expected.iter().filter(|x| x.is_finite()).fold(0.0f64, |a, b| a.max(b.abs()));
        for (i, (a, b)) in found.iter().zip(expected).enumerate() {
            let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= bound * largest;
            if !same {
                return Some(format!("row {r}, element {i}: {a} instead of {b}, in a row up to {largest}"));
            }
        }
    }
    None
}

#[test]
fn every_source_does_on_the_host_what_its_twin_does() {
    let cases = cases().expect("the twins run");
    let met: HashSet<_> = cases.iter().map(|(_, x)| format!("{}::{}", x.module, x.entry)).collect();
    for kernel in ALL {
        for &dtype in kernel.dtypes {
            for entry in kernel.entries {
                let name = format!("{}::{entry}", kernel.module(dtype));
                assert!(met.contains(&name), "no case launches {name}");
            }
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(binary) = compile(folder.path(), &program()) else {
        println!("no C++ compiler found: the CUDA sources were not run on the host");
        return;
    };
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::write(&input, request(&cases)).expect("the temporary folder can be written to");
    let done = Command::new(&binary).arg(&input).arg(&output).env("ASAN_OPTIONS", "detect_leaks=0").output();
    let done = done.expect("the program starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let found = std::fs::read(&output).expect("the program has written its results");
    let mut at = 0;
    for (exact, launch) in &cases {
        let end = (at + launch.expected.len()).min(found.len());
        if let Some(wrong) = difference(launch, &found[at..end], *exact) {
            panic!("{}::{} of {:?}: {wrong}", launch.module, launch.entry, launch.shape);
        }
        at = end;
    }
    assert_eq!(at, found.len());
    println!("{} launches of {} kernels agree with their twins", cases.len(), met.len());
}
