//! `taper gradcheck`: every operation's gradient against central differences, in f64.

use crate::args::GradcheckArgs;
use crate::commands::named_device;
use crate::failure::{FAILED, Failure};
use crate::output::Output;
use taper::gradcheck::{Report, TOLERANCE, operations, run as check};
use taper::train::nearest;

pub fn run(args: &GradcheckArgs, output: &mut Output) -> Result<u8, Failure> {
    let all = operations();
    let chosen: Vec<&str> = match &args.op {
        Some(name) => vec![all.iter().copied().find(|op| op == name).ok_or_else(|| unknown(name, &all))?],
        None => all,
    };
    // The cases are small: threads would only wait for each other.
    let device = named_device(&args.device, 1)?;
    let width = chosen.iter().map(|op| op.len()).max().unwrap_or_default();
    let mut reports = Vec::new();
    for op in chosen {
        let report = check(op, &device, args.second)?;
        output.line(&row(&report, width));
        for failure in &report.failures {
            output.line(&format!("  failed: {failure}"));
        }
        reports.push(report);
    }
    for line in refusals(&reports) {
        output.line(&line);
    }
    let failed: Vec<&str> = reports.iter().filter(|report| !report.passed()).map(|report| report.op).collect();
    let cases: usize = reports.iter().map(|report| report.cases).sum();
    let worst = reports.iter().map(|report| report.worst).fold(0.0, f64::max);
    let what = if args.second { "gradients of gradients" } else { "gradients" };
    let verdict = if failed.is_empty() { "all passed".into() } else { format!("FAILED: {}", failed.join(", ")) };
    output.line(&format!(
        "{}, {cases} cases of {what}: worst error {worst:.1e}, limit {TOLERANCE:.0e}, {verdict}",
        if reports.len() == 1 { "1 operation".into() } else { format!("{} operations", reports.len()) }
    ));
    Ok(if failed.is_empty() { 0 } else { FAILED })
}

fn row(report: &Report, width: usize) -> String {
    let refused = report.refusals.len();
    let checked = report.cases - refused;
    if report.cases > 0 && checked == 0 {
        return format!("{:<width$}  {:>2} cases  refuses", report.op, report.cases);
    }
    let note = if refused > 0 { format!("  ({refused} refuse)") } else { String::new() };
    format!("{:<width$}  {:>2} cases  {:.1e}{note}", report.op, report.cases, report.worst)
}

/// The operations that refuse a second gradient, and why.
fn refusals(reports: &[Report]) -> Vec<String> {
    let refusing: Vec<&Report> = reports.iter().filter(|report| !report.refusals.is_empty()).collect();
    if refusing.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = refusing.iter().map(|report| report.op).collect();
    let mut lines = vec![format!("refusing a gradient of the gradient: {}", names.join(", "))];
    lines.extend(refusing.iter().flat_map(|report| &report.refusals).map(|refusal| format!("  {refusal}")));
    lines
}

fn unknown(name: &str, all: &[&str]) -> Failure {
    let near = nearest(name, all.iter().copied());
    let hint = if near.is_empty() {
        format!("known: {}", all.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Failure::usage(format!("unknown operation `{name}`")).hint(hint)
}
