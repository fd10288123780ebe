// SPDX-License-Identifier: MPL-2.0
//! An OAuth2 server (RFC 6749, 4.4) and a file that only the bearer of one of its tokens gets.
//!
//! Its tokens live for seconds. It can end a connection with the token that it was opened with, in
//! the middle of the file; who comes back with a live one may go on where they were (`Range`).

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How much is sent at a time.
const PIECE: Duration = Duration::from_millis(50);

/// The server.
pub struct Protected {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    content: Vec<u8>,
    bytes_per_second: usize,
    lifetime: Duration,
    cuts_off: bool,
    /// When each token ends.
    tokens: Mutex<HashMap<String, Instant>>,
    seen: Mutex<Seen>,
}

/// What the server has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Tokens that were handed out.
    pub tokens: Vec<String>,
    /// Tokens that came with requests for the file that were answered.
    pub used: Vec<String>,
    /// Requests for the file that were refused.
    pub refused: usize,
    /// Answers that ended with their token, before the end of the file.
    pub cut_off: usize,
}

impl Protected {
    /// The client that is known: its id and its secret.
    pub const CLIENT: (&'static str, &'static str) = ("camera-7", "s3cret-of-camera-7");

    /// Offers `content` at this rate, to tokens that live so long, and `cuts_off` connections that
    /// outlive theirs. It goes on until the test's process ends.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(
        content: Vec<u8>,
        bytes_per_second: usize,
        lifetime: Duration,
        cuts_off: bool,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared {
            content,
            bytes_per_second,
            lifetime,
            cuts_off,
            tokens: Mutex::default(),
            seen: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                thread::spawn(move || shared.answer(client));
            }
        });
        Self { port, shared }
    }

    /// Where tokens are.
    pub fn token_url(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }

    /// Where the file is.
    pub fn file_url(&self) -> String {
        format!("http://127.0.0.1:{}/video.ts", self.port)
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        self.shared.seen.lock().expect("no panic").clone()
    }
}

impl Shared {
    fn answer(&self, mut client: TcpStream) -> Option<()> {
        let (line, headers, body) = read_request(&client)?;
        let mut words = line.split(' ');
        match (words.next()?, words.next()?) {
            ("POST", "/token") => self.token(&mut client, &headers, &body),
            (method @ ("GET" | "HEAD"), "/video.ts") => self.file(&mut client, method, &headers),
            _ => reply(&mut client, "404 Not Found", &[], b""),
        }
    }

    fn token(
        &self,
        client: &mut TcpStream,
        headers: &HashMap<String, String>,
        body: &str,
    ) -> Option<()> {
        let json = "Content-Type: application/json";
        let (id, secret) = Protected::CLIENT;
        let basic = {
            use base64::Engine as _;
            base64::prelude::BASE64_STANDARD.encode(format!("{id}:{secret}"))
        };
        let in_header = headers.get("authorization") == Some(&format!("Basic {basic}"));
        let in_body = body.contains(&format!("client_id={id}"))
            && body.contains(&format!("client_secret={secret}"));
        if !body.contains("grant_type=client_credentials") || !(in_header || in_body) {
            let error = br#"{"error":"invalid_client"}"#;
            return reply(client, "401 Unauthorized", &[json], error);
        }
        let mut seen = self.seen.lock().expect("no panic");
        let token = format!("bearer-{}-{:016x}", seen.tokens.len(), fastrand::u64(..));
        let end = Instant::now() + self.lifetime;
        self.tokens
            .lock()
            .expect("no panic")
            .insert(token.clone(), end);
        seen.tokens.push(token.clone());
        drop(seen);
        let lifetime = self.lifetime.as_secs();
        let answer = format!(
            r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{lifetime}}}"#
        );
        reply(client, "200 OK", &[json], answer.as_bytes())
    }

    fn file(
        &self,
        client: &mut TcpStream,
        method: &str,
        headers: &HashMap<String, String>,
    ) -> Option<()> {
        let token = headers
            .get("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        let end = self.tokens.lock().expect("no panic").get(token).copied();
        let Some(end) = end.filter(|end| Instant::now() < *end) else {
            self.seen.lock().expect("no panic").refused += 1;
            return reply(
                client,
                "401 Unauthorized",
                &["WWW-Authenticate: Bearer"],
                b"",
            );
        };
        self.seen
            .lock()
            .expect("no panic")
            .used
            .push(token.to_owned());
        let from: usize = headers
            .get("range")
            .and_then(|range| {
                range
                    .strip_prefix("bytes=")?
                    .split('-')
                    .next()?
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        let content = self.content.get(from..)?;
        let (total, last) = (self.content.len(), self.content.len().saturating_sub(1));
        let status = match from {
            0 => "200 OK".to_owned(),
            from => format!("206 Partial Content\r\nContent-Range: bytes {from}-{last}/{total}"),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: video/mp2t\r\nAccept-Ranges: bytes\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            content.len()
        );
        client.write_all(head.as_bytes()).ok()?;
        if method == "HEAD" {
            return Some(());
        }
        let piece = self.bytes_per_second * PIECE.as_millis() as usize / 1000;
        for piece in content.chunks(piece.max(1)) {
            if self.cuts_off && Instant::now() >= end {
                self.seen.lock().expect("no panic").cut_off += 1;
                return None;
            }
            client.write_all(piece).ok()?;
            // The rate of a live stream, which is what is tested here.
            thread::sleep(PIECE);
        }
        Some(())
    }
}

fn read_request(client: &TcpStream) -> Option<(String, HashMap<String, String>, String)> {
    let mut reader = BufReader::new(client);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((first, headers, String::from_utf8_lossy(&body).into_owned()))
}

fn reply(client: &mut TcpStream, status: &str, headers: &[&str], body: &[u8]) -> Option<()> {
    let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    head.push_str("Connection: close\r\n\r\n");
    client.write_all(head.as_bytes()).ok()?;
    client.write_all(body).ok()
}
