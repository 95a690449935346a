//! Tests of the profiler, with calls made by hand.

use super::*;
use crate::{DType, Shape};

fn profiler() -> Profiler {
    Profiler(Mutex::new(State::new(Profile::default(), Instant::now())))
}

fn call(method: &'static str, size: usize) -> Call {
    let operand = Operand { shape: Shape::from([size]), dtype: DType::F32 };
    Call { operands: vec![operand], took: Duration::from_nanos(10), ..Call::new(method) }
}

#[test]
fn steps_after_the_warm_up_are_counted_and_nothing_between_them() {
    let profiler = profiler();
    for number in 1..=5 {
        profiler.called(&call("between", 1));
        let _step = step(number);
        profiler.called(&call("activation", 7));
        {
            let _backward = phase(Phase::Backward);
            {
                let _update = phase(Phase::Update);
                profiler.called(&call("adam_step", 7));
            }
            profiler.called(&call("activation", 7));
            profiler.called(&Call { ending: Ending::Declined, ..call("dropout", 7) });
            profiler.called(&Call { ending: Ending::Failed, ..call("gather", 7) });
        }
        profiler.called(&call("activation", 8));
    }
    let profile = profiler.profile();
    assert_eq!((profile.steps, profile.calls.len()), (2, 8));
    assert_eq!(profile, profiler.profile(), "asking counts nothing");
    let rows: Vec<_> = profile.rows.iter().map(|row| (row.op.as_str(), row.shapes.as_str(), row.phase)).collect();
    let due = [
        ("activation", "f32[7]", Phase::Forward),
        ("adam_step", "f32[7]", Phase::Update),
        ("activation", "f32[7]", Phase::Backward),
        ("activation", "f32[8]", Phase::Forward),
    ];
    assert_eq!(rows, due);
    assert!(profile.rows.iter().all(|row| (row.calls, row.time) == (2, Duration::from_nanos(20))), "{profile:?}");
    assert_eq!(profile.traced_steps.iter().map(|step| step.step).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(profile.time, profile.traced_steps.iter().map(|step| step.took).sum());
}

#[test]
fn the_trace_is_bounded_and_the_sums_are_not() {
    let profiler = profiler();
    for number in [WARM_UP + 1, WARM_UP + 2] {
        let _step = step(number);
        for _ in 0..TRACED {
            profiler.called(&call("activation", 7));
        }
    }
    let profile = profiler.profile();
    assert_eq!((profile.calls.len(), profile.rows[0].calls), (TRACED, 2 * TRACED as u64));
    assert_eq!((profile.steps, profile.traced_steps.len()), (2, 1));
}

/// A step that ended before profiling began is not counted.
#[test]
fn what_was_before_is_not_counted() {
    drop(step(WARM_UP + 1));
    assert_eq!(profiler().profile().steps, 0);
}

#[test]
fn the_forward_pass_is_summed_by_layer() {
    let profiler = profiler();
    for number in 1..=5 {
        let _step = step(number);
        profiler.called(&call("upload", 7));
        {
            let _block = layer("layer1");
            for size in [7, 8] {
                let _conv = layer("layer1.conv");
                profiler.called(&call("activation", size));
            }
            profiler.called(&call("activation", 7));
            {
                let _root = layer("");
                profiler.called(&call("activation", 7));
            }
            let _backward = phase(Phase::Backward);
            profiler.called(&call("activation", 9));
        }
    }
    let profile = profiler.profile();
    let layers: Vec<_> = profile.layers.iter().map(|l| (l.path.as_deref(), l.calls, l.flop)).collect();
    assert_eq!(layers, [(None, 4, 2 * 7), (Some("layer1.conv"), 4, 2 * (7 + 8)), (Some("layer1"), 2, 2 * 7)]);
    assert!(profile.layers.iter().all(|layer| layer.time == Duration::from_nanos(10) * layer.calls as u32));
    let traced: Vec<_> = profile.calls[..6].iter().map(|call| call.layer).collect();
    assert_eq!(traced, [Some(0), Some(1), Some(1), Some(2), Some(0), None]);
    // By op, shapes and phase the calls are summed as without layers.
    assert_eq!(profile.rows.iter().map(|row| row.calls).collect::<Vec<_>>(), [2, 6, 2, 2]);
}
