//! Sounds that a command writes.

use crate::failure::Failure;

/// That this build cannot read any.
#[cfg(not(feature = "audio"))]
pub fn no_reader() -> Failure {
    Failure::failed("this build reads no sounds: it lacks the feature `audio`")
}

/// Errs where `path` is no name of a WAV file.
#[cfg(feature = "audio")]
pub fn check_name(path: &std::path::Path) -> Result<(), Failure> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav")) {
        return Ok(());
    }
    let name = path.to_string_lossy();
    let detail = format!("expected a name that ends in .wav, found {}", taper::backend::printable(&name));
    Err(Failure::usage(format!("OUT.wav: {detail}")))
}

/// Writes `clip` into the file at `path`, and says what it is.
#[cfg(feature = "audio")]
pub fn saved(clip: &taper::audio::Clip, path: &std::path::Path) -> Result<String, Failure> {
    clip.save(path).map_err(|error| Failure::failed(error.to_string()))?;
    let name = path.to_string_lossy();
    let name = taper::backend::printable(&name);
    Ok(format!("{name}  {:.2} s, {} samples a second", clip.seconds(), clip.rate))
}
