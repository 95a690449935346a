//! One file over HTTP: mirrors in order, resumed after a cut, bounded in size, verified by SHA-256.

use crate::image::hex;
use crate::manifest::Download;
use crate::{Error, Event, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;
use ureq::http::{HeaderMap, StatusCode};

/// Requests to one mirror, however often it cuts the connection.
const MOST_REQUESTS: usize = 40;
/// Requests in a row that bring nothing new before a mirror is given up.
const MOST_FRUITLESS: usize = 2;

/// How one request ended, when not with all the bytes.
enum Failure {
    /// The connection broke; another request may bring the rest.
    Cut(String),
    /// The server does not know ranges, or not that one; it may send the whole.
    Afresh(String),
    /// This server will not do.
    Mirror(String),
    /// The disk refuses; no server can help.
    Fatal(Error),
}

/// An HTTP client with limits on how long it waits.
pub(super) struct Client {
    agent: ureq::Agent,
}

impl Client {
    /// Waits 10 s for a connection and 30 s for bytes. A proxy is taken from the environment (`HTTPS_PROXY` and so on).
    pub(super) fn new() -> Self {
        Self::with(Duration::from_secs(10), Duration::from_secs(30), ureq::Proxy::try_from_env())
    }

    /// Waits as long as `connect` for a connection, and as long as `read` for the first and any further bytes.
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

    /// Leaves the verified `file` at `part`. What is at `part` before is taken for its beginning.
    ///
    /// # Errors
    /// `Download` when every mirror failed, `Io` when the disk refuses.
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

    /// Fetches from one mirror. `Some` is the reason why it did not work; the next one may.
    fn try_mirror(
        &self,
        url: &str,
        file: &Download,
        part: &Path,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<String>> {
        let mut fruitless = 0;
        let mut reason = String::new();
        // Whether part of the bytes are of an earlier process, and may be of another file.
        let mut inherited = length(part)? > 0;
        // Whether the next request is for the whole, whatever is kept.
        let mut afresh = false;
        for _ in 0..MOST_REQUESTS {
            let before = length(part)?;
            if before != file.bytes {
                progress(Event::Connecting { url });
                match self.request(url, file, part, if afresh { 0 } else { before }, progress) {
                    Ok(()) => {}
                    Err(Failure::Fatal(error)) => return Err(error),
                    Err(Failure::Mirror(reason)) => return Ok(Some(reason)),
                    Err(Failure::Afresh(why)) => {
                        // What is kept stays until this server sends a file of the right size: another may go on with it.
                        if afresh {
                            return Ok(Some(why));
                        }
                        progress(Event::Note(&why));
                        (afresh, reason) = (true, why);
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

    /// One request for the bytes from `have` on, which are appended to `part`.
    fn request(
        &self,
        url: &str,
        file: &Download,
        part: &Path,
        have: u64,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Failure> {
        let total = file.bytes;
        // More than there should be is no beginning of it.
        let have = if have > total { 0 } else { have };
        let mut request = self.agent.get(url);
        if have > 0 {
            // Without If-Range: the manifest's size and SHA-256 say what the file is, whichever mirror it began at.
            request = request.header("Range", format!("bytes={have}-"));
        }
        // A server that never sent anything is not asked twice: without a network, nobody should wait for that.
        let failure = if have > 0 { Failure::Cut } else { Failure::Mirror };
        let response = request.call().map_err(|error| failure(error.to_string()))?;
        let start = match response.status() {
            // A server that does not know ranges sends all of it.
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if have > 0 => match content_range(response.headers()) {
                Some((start, size)) if start == have && size.is_none_or(|size| size == total) => have,
                _ => return Err(Failure::Mirror(format!("a part was asked for from byte {have}, another one came"))),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                return Err(Failure::Afresh(format!("the server has no byte {have} of {total}; starting afresh")));
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
                // Not a beginning of the file: the next attempt must not go on with it.
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

/// The file at `path`, made if need be, cut to `length` and ready to append.
fn open_at(path: &Path, length: u64) -> Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(path);
    let at_end = |mut file: File| {
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        Ok(file)
    };
    file.and_then(at_end).map_err(Error::io("write", path))
}

/// The length of the file at `path`, 0 when there is none.
fn length(path: &Path) -> Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// Checks the SHA-256 of the file at `path`. A file with another one is removed.
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
    if found == expected {
        return Ok(());
    }
    fs::remove_file(path).map_err(Error::io("remove", path))?;
    Err(Error::Checksum { path: path.to_path_buf(), expected: expected.into(), found })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The first byte and the whole size, if told, of `Content-Range: bytes FIRST-LAST/SIZE` (RFC 9110, section 14.4).
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    parse_content_range(header(headers, "content-range")?)
}

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
