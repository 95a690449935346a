//! The CTC loss beside PyTorch's (`tests/peers/parity_ctc.py`), and where it is at its ends.

use taper_cpu::CpuBackend;
use taper_nn::{Ctc, DType, Device, Reduction, Result, Tensor};
use taper_tests::parity::Parity;

const LABELS: [&[i64]; 6] = [&[1, 2, 3], &[2, 2, 1], &[], &[4], &[3, 1, 3, 1, 3], &[1, 1, 1]];
const LENGTHS: [usize; 6] = [7, 7, 5, 1, 5, 4];

fn cpu() -> Result<Device> {
    Ok(Device::new(CpuBackend::with_threads(2)?))
}

#[test]
fn losses_and_gradients_are_pytorchs() -> Result<()> {
    let device = cpu()?;
    for (name, blank, reduction) in
        [("each", 0, Reduction::None), ("mean", 3, Reduction::Mean), ("sum", 4, Reduction::Sum)]
    {
        let record = Parity::read(&format!("ctc_{name}"), &device)?;
        let labels =
            LABELS.map(|labels| labels.iter().map(|l| if blank == 0 { *l } else { (blank + l) % 5 }).collect());
        let labels: Vec<&[i64]> = labels.iter().map(|labels: &Vec<i64>| &labels[..]).collect();
        for (dtype, of_values, of_gradients) in [(DType::F64, 1e-12, 1e-12), (DType::F32, 1e-5, 1e-4)] {
            let logits = record.tensor("logits", dtype)?.requires_grad();
            let ctc = Ctc { blank: blank as usize, reduction, zero_infinity: blank != 0 };
            let loss = ctc.forward(&logits.log_softmax(2)?, &labels, Some(&LENGTHS))?;
            assert_eq!(loss.dtype(), dtype);
            if blank != 0 {
                record.check("loss", &loss.reshape([1])?, of_values)?;
                let gradients = loss.backward()?;
                record.check("grad", gradients.of(&logits).expect("a gradient"), of_gradients)?;
                continue;
            }
            // The last sample cannot be.
            assert_eq!(loss.narrow(0, 5, 1)?.sum_all()?.item()?, f64::INFINITY);
            let due = record.tensor("loss", dtype)?.narrow(0, 0, 5)?;
            let apart = taper_tests::parity::relative(&loss.narrow(0, 0, 5)?, &due)?;
            assert!(apart <= of_values, "{dtype}: {apart:.1e}");
            let gradients = loss.sum_all()?.backward()?;
            let gradient = gradients.of(&logits).expect("a gradient");
            record.check("grad", &gradient.narrow(1, 0, 5)?, of_gradients)?;
            assert!(gradient.narrow(1, 5, 1)?.abs()?.sum_all()?.item()? == 0.0, "no gradient where it cannot be");
        }
    }
    Ok(())
}

/// A thousand frames in f32: finite, the gradient is 0 in sum over the classes, and both are those of f64.
#[test]
fn a_thousand_frames() -> Result<()> {
    let device = cpu()?;
    let (frames, classes) = (1000, 6);
    let values = (0..frames * classes).map(|i| f64::from((i * 37 % 101) as u32) / 20.0 - 2.5);
    let labels: Vec<i64> = (0..120).map(|i| 1 + i * i % 5).collect();
    let values = Tensor::from_vec(values.collect::<Vec<f64>>(), [frames, 1, classes], &device)?;
    let run = |dtype| -> Result<(f64, Vec<f64>)> {
        let logits = values.cast(dtype)?.requires_grad();
        let loss = Ctc::default().forward(&logits.log_softmax(2)?, &[&labels], None)?;
        let gradients = loss.backward()?;
        let gradient = gradients.of(&logits).expect("a gradient").cast(DType::F64)?.to_vec()?;
        Ok((loss.item()?, gradient))
    };
    let ((wide, of_wide), (loss, gradient)) = (run(DType::F64)?, run(DType::F32)?);
    assert!(wide > 0.0 && (loss - wide).abs() < 1e-5 * wide, "{loss} {wide}");
    for (frame, (single, wide)) in gradient.chunks(classes).zip(of_wide.chunks(classes)).enumerate() {
        assert!(wide.iter().sum::<f64>().abs() < 1e-14, "frame {frame}: {wide:?}");
        assert!(single.iter().sum::<f64>().abs() < 1e-7, "frame {frame}: {single:?}");
        assert!(single.iter().zip(wide).all(|(a, b)| (a - b).abs() < 1e-6), "frame {frame}: {single:?} {wide:?}");
    }
    assert!(of_wide.iter().any(|g| g.abs() > 1e-4));
    Ok(())
}

#[test]
fn errors_say_what_is_wrong() -> Result<()> {
    let device = cpu()?;
    let x = Tensor::zeros([4, 2, 3], DType::F32, &device)?;
    let says = |ctc: Ctc, x: &Tensor, labels: &[&[i64]], lengths: Option<&[usize]>, due: &str| {
        let found = ctc.forward(x, labels, lengths).err().map(|error| error.to_string());
        assert_eq!(found.as_deref(), Some(due));
    };
    let ctc = Ctc::default();
    ctc.forward(&x, &[&[1], &[]], Some(&[4, 1]))?;
    let flat = x.reshape([8, 3])?;
    let due = "ctc: the input must be floats [frames, samples, classes] with at least one frame, came as f32 [8, 3]";
    says(ctc, &flat, &[], None, due);
    says(Ctc { blank: 3, ..ctc }, &x, &[&[1], &[]], None, "ctc: the blank is 3, expected 0 to 2");
    says(ctc, &x, &[&[1]], None, "ctc: 1 label sequences came for 2 samples");
    says(ctc, &x, &[&[1], &[2]], Some(&[4]), "ctc: 2 label sequences and 1 lengths came for 2 samples");
    says(ctc, &x, &[&[1], &[2, 3]], None, "ctc: label 3 of sample 1, expected 0 to 2");
    says(ctc, &x, &[&[-1], &[2]], None, "ctc: label -1 of sample 0, expected 0 to 2");
    let due = "ctc: the labels of sample 1 hold the blank, 0, which stands for no label";
    says(ctc, &x, &[&[1], &[2, 0]], None, due);
    let due = "ctc: sample 1 has 5 frames, expected 1 to 4, the padded length";
    says(ctc, &x, &[&[1], &[2]], Some(&[4, 5]), due);
    says(ctc, &x, &[&[1], &[2]], Some(&[4, 0]), "ctc: sample 1 has 0 frames, expected 1 to 4, the padded length");
    Ok(())
}
