//! The benchmarks, called works. A work, or a family of works, is a file here, a line in [`works`], and its counterpart
//! in `tests/peers/torch_bench.py`.

mod airbench;
mod classifier;
mod gpt;
mod mlp;
mod recurrent;
mod resnet18;
mod resnet50;
mod seed_cnn;
mod sgemm;
mod transformer;
mod vgg11;

use taper::{Device, Result, Tensor};

/// Runs one iteration, which is complete on return. The result is a training step's loss, a forward pass's logits or a
/// product.
pub type Iteration = Box<dyn FnMut() -> Result<Tensor>>;

/// Sets up an iteration on a device: the model, the optimiser and the batch.
pub type Make = Box<dyn Fn(&Device) -> Result<Iteration>>;

/// The quantity that a work measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// The time of an iteration.
    Time,
    /// The growth of a fresh process's memory.
    Memory,
}

/// A benchmark that both sides run.
pub struct Work {
    /// The name on the command line and in the peer's script.
    pub name: String,
    /// A description of one iteration.
    pub timed: &'static str,
    pub measured: Measured,
    /// The family, over whose ratios a geometric mean is taken. Its name on the command line selects all its works.
    pub family: Option<&'static str>,
    pub threads: usize,
    /// Floating-point operations of an iteration, as [`flop`](crate::flop) counts them.
    pub flop: f64,
    /// Bytes of weights that an iteration must read, if memory bandwidth bounds it.
    pub bytes: Option<f64>,
    /// Sets up our side.
    pub make: Make,
}

/// All works, in the order of the table.
pub fn works() -> Vec<Work> {
    let families = [
        seed_cnn::works,
        mlp::works,
        sgemm::works,
        resnet18::works,
        airbench::works,
        recurrent::works,
        gpt::works,
        transformer::works,
        vgg11::works,
        resnet50::works,
    ];
    families.iter().flat_map(|of| of()).collect()
}

/// The works and families that `names` select, in the order of the table; all works if there is no name.
///
/// # Errors
/// An unknown name.
pub fn chosen(names: &[String]) -> std::result::Result<Vec<Work>, String> {
    let is = |work: &Work, name: &String| work.name == *name || work.family == Some(name.as_str());
    let works = works();
    if let Some(unknown) = names.iter().find(|name| !works.iter().any(|work| is(work, name))) {
        let known: Vec<&str> = works.iter().map(|work| work.name.as_str()).collect();
        return Err(format!("there is no work `{unknown}`; known: {}, and sgemm for all of these", known.join(", ")));
    }
    Ok(works.into_iter().filter(|work| names.is_empty() || names.iter().any(|name| is(work, name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper::DeviceOptions;

    #[test]
    fn every_work_runs_and_its_result_is_finite() -> Result<()> {
        for work in works() {
            let options = DeviceOptions { threads: work.threads, ..DeviceOptions::default() };
            let device = taper::device_with("cpu", options)?;
            let mut iteration = (work.make)(&device)?;
            let result = iteration()?;
            assert!(Tensor::all_finite(&[&result])?.item()? == 1.0, "{}", work.name);
            assert!(work.flop > 0.0, "{}", work.name);
        }
        Ok(())
    }

    #[test]
    fn names_choose() {
        let names = |list: &[&str]| -> Vec<String> {
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            chosen(&list).unwrap().into_iter().map(|work| work.name).collect()
        };
        assert_eq!(names(&["tiny", "seed-cnn"]), ["seed-cnn", "tiny"]);
        assert_eq!(names(&["sgemm"]).len(), 9);
        assert_eq!(names(&["sgemm-512x512x512"]).len(), 1);
        assert_eq!(names(&[]).len(), works().len());
        let text = chosen(&["sgem".into()]).err().unwrap();
        assert!(text.contains("no work `sgem`") && text.contains("seed-cnn-1"), "{text}");
    }

    #[test]
    fn a_name_means_one_work() {
        let works = works();
        for (i, work) in works.iter().enumerate() {
            assert!(works[..i].iter().all(|other| other.name != work.name), "{}", work.name);
        }
    }
}
