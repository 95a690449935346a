//! Pictures in bytes, as the models of scenes and of pairs read them.

use super::AT_A_TIME;
use taper_nn::{HostData, Params, Tensor};
use taper_train::{Error, Result};

/// The pictures `[N, C, H, W]` in bytes, some at a time, as values from 0 to 1 on the device of `params`.
///
/// # Errors
/// Bytes that are no whole pictures; the error names `what`.
pub(super) fn values<'a>(
    pictures: &'a [u8],
    [c, h, w]: [usize; 3],
    what: &str,
    params: &'a Params,
) -> Result<impl Iterator<Item = Result<Tensor>> + use<'a>> {
    let one = c * h * w;
    if one == 0 || !pictures.len().is_multiple_of(one) {
        let detail = format!("expected pictures of {one} bytes, found {}", pictures.len());
        return Err(Error::Usage(format!("{what}: {detail}")));
    }
    Ok(pictures.chunks(one * AT_A_TIME).map(move |some| {
        let x = Tensor::from_host(HostData::U8(some.to_vec()), [some.len() / one, c, h, w], params.device())?;
        Ok(x.cast(params.dtype())?.div_scalar(255.0)?)
    }))
}

/// The bytes of the file at `path`.
#[cfg(feature = "images")]
pub(super) fn file(path: &std::path::Path) -> Result<Vec<u8>> {
    let io = |source| Error::Io { action: "read", path: path.to_path_buf(), source };
    taper_nn::taper_tensor::files::read(path).map_err(io)
}
