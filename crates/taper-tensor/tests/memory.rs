//! Nothing is left behind: a step that is dropped gives back all of its memory.

mod common;

use taper_cpu::CpuBackend;
use taper_tensor::{
    Conv2dSpec, CrossEntropyOptions, DType, Device, Distribution, Element, GradOptions, HostData, Param, Pool2dSpec,
    RandomKey, Result, Tensor, grad,
};

#[test]
fn steps_of_one_size_need_no_new_memory() -> Result<()> {
    // One thread: how many blocks are in use at once does not depend on timing.
    let backend = CpuBackend::with_threads(1)?;
    let pool = backend.pool().clone();
    let device = Device::new(backend);
    let draw = |name: &str, shape: &[usize]| {
        let distribution = Distribution::Normal { mean: 0.0, std: 0.1 };
        Tensor::random(distribution, RandomKey::new(1).child(name), shape, DType::F32, &device)
    };
    let conv = Param::new("conv.weight", &draw("conv", &[4, 3, 3, 3])?);
    let fc = Param::new("fc.weight", &draw("fc", &[10, 64])?);
    let pictures = draw("pictures", &[2, 3, 8, 8])?;
    let labels = Tensor::from_vec(vec![3i64, 7], [2], &device)?;
    let step = |create_graph: bool| -> Result<()> {
        let spec = Conv2dSpec { padding: [1, 1], ..Default::default() };
        let y = pictures.conv2d(&conv.tensor(), None, spec)?.relu()?.max_pool2d(Pool2dSpec::square(2))?;
        let (y, _) = y.batch_norm(None, None, 1e-5)?;
        let y = y.flatten(1)?.dropout(0.1, RandomKey::new(4))?.linear(&fc.tensor(), None)?;
        let loss = y.cross_entropy(&labels, &CrossEntropyOptions::default())?;
        if create_graph {
            let options = GradOptions { create_graph: true, retain_graph: true };
            let (conv, fc) = (conv.tensor(), fc.tensor());
            let mut total = loss.clone();
            for gradient in grad(&loss, &[&conv, &fc], None, options)?.into_iter().flatten() {
                total = total.add(&gradient.mul(&gradient)?.sum_all()?)?;
            }
            return total.backward().map(|_| ());
        }
        let gradients = loss.backward()?;
        for param in [&conv, &fc] {
            let change = gradients.of_param(param).map(|gradient| gradient.mul_scalar(-0.1)).transpose()?;
            let next = param.tensor().add(&change.expect("every parameter has a gradient"))?;
            param.set(&next)?;
        }
        Ok(())
    };
    for create_graph in [false, true] {
        for _ in 0..3 {
            step(create_graph)?;
        }
        let (misses, retained) = (pool.misses(), pool.retained_bytes());
        for _ in 0..10 {
            step(create_graph)?;
        }
        assert_eq!(pool.misses(), misses, "later steps asked the system for memory: something is not given back");
        assert_eq!(pool.retained_bytes(), retained);
    }
    Ok(())
}

/// A batch's memory on the host is filled and uploaded again and again: nothing is taken, neither from it nor from the system,
/// and a tensor made earlier keeps its values.
#[test]
fn borrowed_data_is_copied_into_memory_of_the_pool() -> Result<()> {
    let backend = CpuBackend::with_threads(1)?;
    let pool = backend.pool().clone();
    let device = Device::new(backend);
    let mut data = HostData::F32(vec![0.0; 3 * 1024]);
    let place = f32::slice(&data).expect("f32").as_ptr();
    let mut upload = |value: f32| {
        let HostData::F32(values) = &mut data else { unreachable!("f32 above") };
        values.fill(value);
        Tensor::from_host(&data, [3, 1024], &device)
    };
    let first = upload(1.0)?;
    drop(upload(2.0)?);
    let misses = pool.misses();
    for step in 3..20 {
        assert_eq!(upload(step as f32)?.to_vec::<f32>()?, vec![step as f32; 3 * 1024]);
    }
    assert_eq!(pool.misses(), misses);
    assert_eq!(first.to_vec::<f32>()?, vec![1.0; 3 * 1024]);
    assert_eq!(f32::slice(&data).expect("f32").as_ptr(), place);
    Ok(())
}
