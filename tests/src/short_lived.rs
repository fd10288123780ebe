// SPDX-License-Identifier: MPL-2.0
//! An STS whose credentials live for seconds.
//!
//! AWS gives a role's credentials for a quarter of an hour at least, and so does moto. This stands
//! in front of moto and hands its answers on with an earlier `Expiration`: an hour of renewals in
//! half a minute, with nothing else changed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// A server in front of another.
pub struct ShortLived {
    port: u16,
}

impl ShortLived {
    /// In front of the server at `port`; credentials live for `lifetime`. It goes on until the
    /// test's process ends.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(port: u16, lifetime: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let own = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || hand_on(client, port, lifetime));
            }
        });
        Self { port: own }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// One request and its answer; the connection closes after it.
fn hand_on(mut client: TcpStream, port: u16, lifetime: Duration) -> Option<()> {
    let (head, body) = read_message(&mut client)?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let mut lines = head.lines();
    let mut request = format!("{}\r\n", lines.next()?);
    for line in lines.filter(|line| !is_header(line, "connection")) {
        request.push_str(&format!("{line}\r\n"));
    }
    request.push_str("Connection: close\r\n\r\n");
    server.write_all(request.as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    let (head, body) = read_message(&mut server)?;
    let body = shortened(&String::from_utf8_lossy(&body), lifetime);
    let mut answer = String::new();
    for line in head.lines() {
        if !is_header(line, "connection") && !is_header(line, "content-length") {
            answer.push_str(&format!("{line}\r\n"));
        }
    }
    answer.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    client.write_all(answer.as_bytes()).ok()?;
    client.write_all(body.as_bytes()).ok()
}

/// `text` with what its first `Expiration` holds replaced.
fn shortened(text: &str, lifetime: Duration) -> String {
    let (open, close) = ("<Expiration>", "</Expiration>");
    let Some((before, rest)) = text.split_once(open) else {
        return text.to_owned();
    };
    let Some((_, after)) = rest.split_once(close) else {
        return text.to_owned();
    };
    let end = jiff::Timestamp::now() + lifetime;
    let end = end.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("{before}{open}{end}{close}{after}")
}

/// The head of a message, without the empty line, and its body.
fn read_message(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            break;
        }
        if is_header(&line, "content-length") {
            length = line.split_once(':')?.1.trim().parse().ok()?;
        }
        head.push_str(line.trim_end());
        head.push('\n');
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':')
        .is_some_and(|(given, _)| given.eq_ignore_ascii_case(name))
}
