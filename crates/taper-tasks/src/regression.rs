//! Regression: numbers to be predicted, by least squares.

use taper_nn::{Context, DType, Module, Tensor, no_grad};
use taper_train::{Better, DeviceBatch, Error, Metric, Result, Sums, Task};

/// The mean and the standard deviation by which targets are standardised: those of the training split.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TargetStats {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, above 0.
    pub std: f64,
}

impl Default for TargetStats {
    /// Targets as they are.
    fn default() -> Self {
        Self { mean: 0.0, std: 1.0 }
    }
}

/// The task of predicting the field `targets` (`[N]` or `[N, 1]`, floats) from the field `inputs`, with a model that gives
/// `[N, 1]` or `[N]`. If the targets are standardised, (t − mean) / std, the task is told by what, so that metrics and
/// predictions are in the target's own unit.
///
/// Metrics: the loss (mean squared error of the targets as they are in the batches), the root of the mean squared error, the
/// mean absolute error, and R², in which the spread is that around [`TargetStats::mean`].
pub struct Regression<M> {
    model: M,
    target: TargetStats,
    unit: String,
}

impl<M: Module> Regression<M> {
    /// With the targets as they are.
    pub fn new(model: M) -> Self {
        Self { model, target: TargetStats::default(), unit: String::new() }
    }

    /// Says by what the targets of the batches are standardised.
    pub fn standardized(self, target: TargetStats) -> Self {
        Self { target, ..self }
    }

    /// With the unit of the targets, for texts and charts.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        Self { unit: unit.into(), ..self }
    }

    /// The predictions `[N]` for inputs `[N, …]`, in the target's own unit.
    ///
    /// # Errors
    /// Those of the model; one that gives more than one number a sample.
    pub fn predict(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let y = self.standard(x, context)?;
        Ok(y.mul_scalar(self.target.std)?.add_scalar(self.target.mean)?)
    }

    /// The standardised predictions `[N]`.
    fn standard(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let y = self.model.forward(x, context)?;
        let n = x.shape().dims().first().copied().unwrap_or(0);
        if y.count() != n {
            let shape = y.shape();
            return Err(Error::Usage(format!(
                "regression: expected [N, 1] of the model for {n} samples, found {shape}"
            )));
        }
        Ok(y.reshape([n])?)
    }
}

impl<M: Module> Task for Regression<M> {
    fn metrics(&self) -> Vec<Metric> {
        let r2 = Metric { of: |unexplained| 1.0 - unexplained, ..Metric::new("r2", "", Better::Higher) };
        vec![
            Metric::loss("squared error"),
            Metric::root_mean_square("rmse", self.unit.clone()),
            Metric::new("mae", self.unit.clone(), Better::Lower),
            r2,
        ]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let target = batch.float("targets")?.reshape([batch.len()])?; // [N]
        let error = self.standard(&batch.float("inputs")?, context)?.sub(&target)?; // [N]
        let loss = error.mul(&error)?.mean_all()?;
        let (std, n) = (self.target.std, batch.len());
        let (squares, absolute, spread) = no_grad(|| -> taper_nn::Result<_> {
            let (error, target) = (error.detach().cast(DType::F64)?, target.cast(DType::F64)?);
            let squares = |x: &Tensor| x.mul(x)?.sum_all();
            Ok((squares(&error)?, error.abs()?.sum_all()?.mul_scalar(std)?, squares(&target)?))
        })?;
        let square_error = squares.mul_scalar(std * std)?;
        let sums = Sums::mean(loss, n).with("rmse", square_error, n).with("mae", absolute, n);
        Ok(sums.with("r2", squares, spread))
    }
}
