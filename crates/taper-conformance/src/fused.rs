//! Fused operations, called as the tape calls them.

use taper_backend::{Buffer, Device, Error, FusedOp, Rim, Saved};

/// The outputs of `op`; `None` if the device declines it.
pub fn outputs(device: &Device, op: &FusedOp) -> Rim<Vec<Buffer>> {
    Ok(device.fused(op)?.map(|output| std::iter::once(output.y).chain(output.more).collect()))
}

/// The gradients that `needs` asks for, of the operands that are present; `None` if the device declines them.
///
/// # Errors
/// If the gradients are not exactly those that `needs` asks for.
pub fn gradients(device: &Device, op: &FusedOp, g: &Buffer, saved: &Saved, needs: &[bool]) -> Rim<Vec<Buffer>> {
    let Some(found) = device.fused_grad(op, g, saved, needs)? else { return Ok(None) };
    let came: Vec<bool> = found.iter().map(Option::is_some).collect();
    if came != needs {
        return Err(Error::argument(op.grad_name(), format!("wanted {needs:?}, came {came:?}")));
    }
    Ok(Some(found.into_iter().flatten().collect()))
}

/// The outputs of `op`, followed by the gradients that `needs` asks for. `None` if the device declines either.
///
/// # Errors
/// If the gradients are not exactly those that `needs` asks for, or are declined though the contract requires them.
pub fn both(device: &Device, op: &FusedOp, g: &Buffer, needs: &[bool]) -> Rim<Vec<Buffer>> {
    let Some(output) = device.fused(op)? else { return Ok(None) };
    let Some(gradients) = gradients(device, op, g, &output.saved, needs)? else {
        let required = || Error::argument(op.grad_name(), "declined, though the operation itself is computed");
        return if op.requires_grad() { Err(required()) } else { Ok(None) };
    };
    Ok(Some(std::iter::once(output.y).chain(output.more).chain(gradients).collect()))
}

/// Those of `needs` whose operands are `there`.
pub fn of_present<const N: usize>(there: [bool; N], needs: [bool; N]) -> Vec<bool> {
    needs.into_iter().zip(there).filter(|(_, there)| *there).map(|(need, _)| need).collect()
}
