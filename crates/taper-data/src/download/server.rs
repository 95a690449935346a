//! A small HTTP server for tests, which gives each connection the next of its scripted answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does with one request for its file.
pub(super) enum Answer {
    /// Sends the file, or the range asked for.
    Whole,
    /// As `Whole`, but closes the connection after this many bytes of the body.
    Cut(usize),
    /// As `Cut`, but leaves the connection open and silent until the client closes it.
    Stall(usize),
    /// Sends the whole file, whatever range was asked for.
    NoRange,
    /// Sends a range that was not asked for.
    WrongRange,
    /// Sends this status without a body.
    Status(u16),
    /// Sends these bytes instead of the file, with their `Content-Length`.
    Other(Vec<u8>),
    /// Sends these bytes instead of the file, without a `Content-Length`: the end of the connection ends them.
    Endless(Vec<u8>),
}

/// A request that was received: its `Range` header, and the number of bytes of body that were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) range: Option<String>,
    pub(super) sent: usize,
}

/// A server on its own port, which runs until the process ends.
pub(super) struct Server {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves `file` with one of `answers` for each request, then with status 500.
    pub(super) fn start(file: Vec<u8>, answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/archive.tar.gz", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            let (mut answers, last) = (answers.into_iter().peekable(), Answer::Status(500));
            for stream in listener.incoming() {
                let answer = answers.peek().unwrap_or(&last);
                // A question for the head alone is answered as the next request will be, and is not logged.
                if !serve(&stream.unwrap(), &file, answer, &log) {
                    answers.next();
                }
            }
        });
        Self { url, requests }
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers one request. Returns whether it was for the head alone.
fn serve(mut stream: &TcpStream, file: &[u8], answer: &Answer, log: &Mutex<Vec<Request>>) -> bool {
    let (mut range, mut head_alone) = (None, false);
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        head_alone |= line.starts_with("HEAD ");
        if let Some((_, value)) = line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("range")) {
            range = Some(value.to_string());
        }
    }
    let asked = range.as_deref().and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let start = match answer {
        Answer::NoRange | Answer::Other(_) | Answer::Endless(_) => 0,
        _ => asked.unwrap_or(0),
    };
    let body: &[u8] = match answer {
        Answer::Status(_) => b"",
        Answer::Other(bytes) | Answer::Endless(bytes) => bytes,
        _ => &file[start..],
    };
    let mut head = match answer {
        Answer::Status(code) => format!("HTTP/1.1 {code} Scripted\r\n"),
        Answer::WrongRange => format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-9/{}\r\n", file.len()),
        _ if start > 0 => {
            let last = file.len() - 1;
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{last}/{}\r\n", file.len())
        }
        _ => "HTTP/1.1 200 OK\r\n".to_string(),
    };
    if !matches!(answer, Answer::Endless(_)) {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "Connection: close\r\n\r\n";
    let sent = match answer {
        Answer::Cut(n) | Answer::Stall(n) => (*n).min(body.len()),
        _ => body.len(),
    };
    if head_alone {
        let _ = stream.write_all(head.as_bytes());
        return true;
    }
    // Logged before the bytes are sent, so that a client that has received them finds its request in the log.
    log.lock().unwrap().push(Request { range, sent });
    // The client may close the connection early; the test sees that on its own side.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent]));
    if matches!(answer, Answer::Stall(_)) {
        let _ = stream.read(&mut [0]);
    }
    false
}
