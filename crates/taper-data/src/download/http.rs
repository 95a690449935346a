//! Downloading one file over HTTP: mirrors are tried in order, a broken transfer is resumed, the size is bounded, and
//! the SHA-256 is verified.

use crate::image::hex;
use crate::manifest::Download;
use crate::{Error, Event, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode};

/// The most requests to one mirror, however often it breaks the connection.
const MOST_REQUESTS: usize = 40;
/// The number of consecutive requests without a new byte after which a mirror is given up.
const MOST_FRUITLESS: usize = 2;

/// Why one request did not bring all the bytes.
enum Failure {
    /// The connection broke; another request may bring the rest of the file.
    Cut(String),
    /// The server has no such range; it may send the whole file.
    Restart(String),
    /// This mirror cannot give the file; the next one is tried.
    Mirror(String),
    /// The file system failed; no mirror can help.
    Fatal(Error),
}

/// An HTTP client with timeouts.
pub(super) struct Client {
    agent: ureq::Agent,
}

impl Client {
    /// A client with timeouts of 10 s for a connection and 30 s for the next bytes. The environment may name a proxy
    /// (`HTTPS_PROXY` and so on).
    pub(super) fn new() -> Self {
        Self::with(Duration::from_secs(10), Duration::from_secs(30), ureq::Proxy::try_from_env())
    }

    /// A client with a timeout `connect` for a connection and a timeout `read` for the first and any further bytes.
    pub(super) fn with(connect: Duration, read: Duration, proxy: Option<ureq::Proxy>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_resolve(Some(connect))
            .timeout_connect(Some(connect))
            .timeout_recv_response(Some(read))
            .timeout_per_read(Some(read))
            .accept_encoding("identity")
            .user_agent(concat!("taper-data/", env!("CARGO_PKG_VERSION")))
            .proxy(proxy)
            .build();
        Self { agent: config.into() }
    }

    /// Downloads `file` to the path `part` and verifies it. A file that is at `part` already is resumed.
    ///
    /// # Errors
    /// `Download` when every mirror failed, `Io` when the file system failed.
    pub(super) fn fetch(&self, file: &Download, part: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let mut reasons = Vec::new();
        for url in &file.urls {
            match self.try_mirror(url, file, part, progress)? {
                None => return Ok(()),
                Some(reason) => {
                    let reason = format!("{url}: {reason}");
                    progress(Event::Note(&reason));
                    reasons.push(reason);
                }
            }
        }
        Err(Error::Download(format!("the download failed ({})", reasons.join("; "))))
    }

    /// The size of the file at `urls`, as the first of the mirrors that answers says it; at most `most`.
    ///
    /// # Errors
    /// When no mirror says a size, or one that may be.
    pub(super) fn size(&self, urls: &[String], most: u64, progress: &mut dyn FnMut(Event<'_>)) -> Result<u64> {
        let mut reasons = Vec::new();
        for url in urls {
            progress(Event::Connecting { url });
            let reason = match self.agent.head(url).call() {
                Err(error) => error.to_string(),
                Ok(answer) if answer.status() != StatusCode::OK => format!("the server answered {}", answer.status()),
                Ok(answer) => match header(answer.headers(), "content-length").and_then(|n| n.parse::<u64>().ok()) {
                    Some(size) if (1..=most).contains(&size) => return Ok(size),
                    Some(size) => format!("the server offers {size} bytes, more than the {most} that it may be"),
                    None => "the server does not say how large the file is".into(),
                },
            };
            reasons.push(format!("{url}: {reason}"));
        }
        Err(Error::Download(format!("the download failed ({})", reasons.join("; "))))
    }

    /// Downloads from one mirror. Returns `None` on success, or the reason why this mirror failed.
    fn try_mirror(
        &self,
        url: &str,
        file: &Download,
        part: &Path,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<String>> {
        let mut fruitless = 0;
        let mut reason = String::new();
        // Whether an earlier process left some of the bytes, which may be those of another file.
        let mut inherited = length(part)? > 0;
        // Whether the next request is for the whole file, whatever is at `part`.
        let mut restart = false;
        for _ in 0..MOST_REQUESTS {
            let before = length(part)?;
            if before != file.bytes {
                progress(Event::Connecting { url });
                match self.request(url, file, part, if restart { 0 } else { before }, progress) {
                    Ok(()) => {}
                    Err(Failure::Fatal(error)) => return Err(error),
                    Err(Failure::Mirror(reason)) => return Ok(Some(reason)),
                    Err(Failure::Restart(why)) => {
                        // The bytes at `part` stay until this server sends a file of the right size: another mirror may
                        // resume from them.
                        if restart {
                            return Ok(Some(why));
                        }
                        progress(Event::Note(&why));
                        (restart, reason) = (true, why);
                        continue;
                    }
                    Err(Failure::Cut(why)) => {
                        fruitless = if length(part)? > before { 0 } else { fruitless + 1 };
                        if fruitless == MOST_FRUITLESS {
                            return Ok(Some(why));
                        }
                        progress(Event::Note(&why));
                        reason = why;
                        continue;
                    }
                }
            }
            progress(Event::Verifying);
            match verify(part, &file.sha256) {
                Ok(()) => return Ok(None),
                Err(error @ Error::Checksum { .. }) if inherited => {
                    progress(Event::Note(&error.to_string()));
                    inherited = false;
                }
                Err(error @ Error::Checksum { .. }) => return Ok(Some(error.to_string())),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(reason))
    }

    /// Makes one request for the bytes from offset `have` on, and appends them to `part`.
    fn request(
        &self,
        url: &str,
        file: &Download,
        part: &Path,
        have: u64,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Failure> {
        let total = file.bytes;
        // A file that is larger than expected cannot be resumed.
        let have = if have > total { 0 } else { have };
        let mut request = self.agent.get(url);
        if have > 0 {
            // Without If-Range: the manifest's size and SHA-256 say what the file is, whichever mirror it began at.
            request = request.header("Range", format!("bytes={have}-"));
        }
        // A server that never sent anything is not asked twice, so that a machine without a network does not wait.
        let failure = if have > 0 { Failure::Cut } else { Failure::Mirror };
        let response = request.call().map_err(|error| failure(error.to_string()))?;
        let start = match response.status() {
            // A server that does not support ranges sends the whole file.
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if have > 0 => match content_range(response.headers()) {
                Some((start, size)) if start == have && size.is_none_or(|size| size == total) => have,
                _ => return Err(Failure::Mirror(format!("a part was asked for from byte {have}, another one came"))),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                return Err(Failure::Restart(format!("the server has no byte {have} of {total}; starting afresh")));
            }
            status => return Err(Failure::Mirror(format!("the server answered {status}"))),
        };
        let offered = header(response.headers(), "content-length").and_then(|n| n.parse::<u64>().ok());
        if let Some(offered) = offered.filter(|&n| n != total - start) {
            return Err(Failure::Mirror(format!("expected {} bytes, the server offers {offered}", total - start)));
        }
        let mut to = open_at(part, start).map_err(Failure::Fatal)?;
        let mut body = response.into_body().into_reader();
        let mut done = start;
        let mut buffer = vec![0; 64 * 1024];
        progress(Event::Bytes { done, total });
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Cut(format!("cut after {done} of {total} bytes: {error}"))),
            };
            if done + count as u64 > total {
                // These bytes are of another file: the next attempt must not resume from them.
                drop(open_at(part, 0).map_err(Failure::Fatal)?);
                return Err(Failure::Mirror(format!("more than the {total} bytes expected")));
            }
            to.write_all(&buffer[..count]).map_err(|e| Failure::Fatal(Error::io("write", part)(e)))?;
            done += count as u64;
            progress(Event::Bytes { done, total });
        }
        if done < total {
            return Err(Failure::Cut(format!("cut after {done} of {total} bytes")));
        }
        Ok(())
    }
}

/// Opens the file at `path`, created if it is missing, truncated to `length` bytes and ready to append.
fn open_at(path: &Path, length: u64) -> Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(path);
    let at_end = |mut file: File| {
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    };
    file.and_then(at_end).map_err(Error::io("write", path))
}

/// The length of the file at `path` in bytes, or 0 if there is none.
pub(super) fn length(path: &Path) -> Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// Checks the SHA-256 of the file at `path`, which `expected` may give the first digits of, and removes the file if it is
/// wrong.
fn verify(path: &Path, expected: &str) -> Result<()> {
    let mut file = taper_backend::files::open(path).map_err(Error::io("open", path))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let found = hex(&hash.finalize());
    if !expected.is_empty() && found.starts_with(expected) {
        return Ok(());
    }
    fs::remove_file(path).map_err(Error::io("remove", path))?;
    Err(Error::Checksum { path: path.to_path_buf(), expected: expected.into(), found })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The offset of the first byte, and the size of the whole file if the server gives it, of
/// `Content-Range: bytes FIRST-LAST/SIZE` (RFC 9110, section 14.4).
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    parse_content_range(header(headers, "content-range")?)
}

/// Parses the value of a `Content-Range` header. Allocates no memory that grows with `text`.
pub(crate) fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, _last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let size = if size == "*" { None } else { Some(size.parse().ok()?) };
    Some((first, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_ranges() {
        assert_eq!(parse_content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_content_range("bytes 5-9/*"), Some((5, None)));
        for bad in ["", "bytes */10", "bytes 5-/10", "5-9/10", "bytes 5-9", "bytes 99999999999999999999-9/10"] {
            assert_eq!(parse_content_range(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_content_range_is_read_or_refused(first in any::<u64>(), rest in ".{0,20}") {
            prop_assert_eq!(parse_content_range(&rest), None);
            let text = format!("bytes {first}-{rest}");
            prop_assert!(parse_content_range(&text).is_none_or(|(start, _)| start == first));
        }
    }
}
