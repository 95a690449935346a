//! Tests of the profiler, with calls made by hand.

use super::*;
use crate::{DType, Shape};

fn profiler() -> Profiler {
    let now = Instant::now();
    Profiler(Mutex::new(State { profile: Profile::default(), rows: HashMap::new(), zero: now, last: now }))
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
