//! A profile's first calls as a trace for chrome://tracing and Perfetto: Google's "Trace Event Format", complete events
//! (`"ph":"X"`, times in µs).

use super::Profile;
use std::fmt::Write as _;
use std::time::Duration;

impl Profile {
    /// The traced calls and their steps, as JSON.
    pub fn trace(&self) -> String {
        let process = format!(
            "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{{\"name\":{}}}}}",
            quoted(&format!("taper on {}", self.device))
        );
        let steps = self.traced_steps.iter().map(|step| {
            event(&format!("step {}", step.step), "step", step.at, step.took, &format!("\"step\":{}", step.step))
        });
        let calls = self.calls.iter().map(|call| {
            let row = &self.rows[call.row];
            let (shapes, step) = (quoted(&row.shapes), call.step);
            let mut args = format!("\"step\":{step},\"shapes\":{shapes},\"flop\":{},\"bytes\":{}", row.flop, row.bytes);
            if let Some(path) = call.layer.and_then(|layer| self.layers[layer].path.as_deref()) {
                let _ = write!(args, ",\"layer\":{}", quoted(path));
            }
            event(&row.op, row.phase.name(), call.at, call.took, &args)
        });
        let events: Vec<String> = std::iter::once(process).chain(steps).chain(calls).collect();
        format!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n", events.join(",\n"))
    }
}

fn event(name: &str, category: &str, at: Duration, took: Duration, args: &str) -> String {
    let us = |time: Duration| time.as_nanos() as f64 / 1e3;
    format!(
        "{{\"name\":{},\"cat\":{},\"ph\":\"X\",\"ts\":{:.3},\"dur\":{:.3},\"pid\":1,\"tid\":1,\"args\":{{{args}}}}}",
        quoted(name),
        quoted(category),
        us(at),
        us(took)
    )
}

/// `text` as a JSON string (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use crate::profile::{LayerRow, Phase, Profile, Row, TracedCall, TracedStep};
    use std::time::Duration;

    #[test]
    fn a_call_is_a_complete_event_in_microseconds() {
        let (at, took) = (Duration::from_nanos(1_234_500), Duration::from_micros(20));
        let row = |phase| Row {
            op: "linear".into(),
            shapes: "f32[2]".into(),
            phase,
            flop: 7,
            bytes: 8,
            calls: 1,
            time: took,
        };
        let layer = |path: Option<&str>| LayerRow { path: path.map(Into::into), flop: 7, calls: 1, time: took };
        let call = |row, layer| TracedCall { row, layer, step: 4, at, took };
        let profile = Profile {
            device: "a\"b\n".into(),
            rows: vec![row(Phase::Backward), row(Phase::Forward)],
            layers: vec![layer(None), layer(Some("fc\"1"))],
            calls: vec![call(0, None), call(1, Some(0)), call(1, Some(1))],
            traced_steps: vec![TracedStep { step: 4, at: Duration::from_millis(1), took: Duration::from_millis(2) }],
            ..Profile::default()
        };
        let due = r#"{"displayTimeUnit":"ms","traceEvents":[
{"name":"process_name","ph":"M","pid":1,"args":{"name":"taper on a\"b\u000a"}},
{"name":"step 4","cat":"step","ph":"X","ts":1000.000,"dur":2000.000,"pid":1,"tid":1,"args":{"step":4}},
{"name":"linear","cat":"backward","ph":"X","ts":1234.500,"dur":20.000,"pid":1,"tid":1,"args":{"step":4,"shapes":"f32[2]","flop":7,"bytes":8}},
{"name":"linear","cat":"forward","ph":"X","ts":1234.500,"dur":20.000,"pid":1,"tid":1,"args":{"step":4,"shapes":"f32[2]","flop":7,"bytes":8}},
{"name":"linear","cat":"forward","ph":"X","ts":1234.500,"dur":20.000,"pid":1,"tid":1,"args":{"step":4,"shapes":"f32[2]","flop":7,"bytes":8,"layer":"fc\"1"}}
]}
"#;
        assert_eq!(profile.trace(), due);
    }
}
