// SPDX-License-Identifier: MPL-2.0
//! What stands in front of moto: AWS with its bad days.
//!
//! moto gives roles of 15 minutes at least, never fails, and its clock is this machine's. Real STS
//! goes away, refuses, and sees clocks that are wrong. So requests pass through here, and what is
//! asked for is done to them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What happens to requests.
#[derive(Clone, Debug, Default)]
pub struct Mood {
    /// Connections are closed as soon as they are made.
    pub down: bool,
    /// Connections are made, and nobody answers: a network that swallows packets.
    pub silent: bool,
    /// Roles are refused as STS refuses them.
    pub refusing: bool,
    /// Credentials end so soon, in place of moto's 15 minutes.
    pub lifetime: Option<Duration>,
    /// Session tokens have so many characters.
    pub token_length: Option<usize>,
    /// The clock of AWS is so far ahead of this machine's.
    pub clock_ahead: Duration,
}

/// A server on loopback; its thread ends with the process.
pub struct Front {
    port: u16,
    mood: Arc<Mutex<Mood>>,
}

impl Front {
    /// In front of a server on this port.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn of(behind: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let mood = Arc::new(Mutex::new(Mood::default()));
        let shared = mood.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mood = shared.clone();
                thread::spawn(move || {
                    let now = mood.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    // A client that hangs up is no fault of a test.
                    let _ = serve(client, behind, &now);
                });
            }
        });
        Self { port, mood }
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What happens from now on.
    pub fn set(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.mood.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn serve(mut client: TcpStream, behind: u16, mood: &Mood) -> io::Result<()> {
    if mood.down {
        return client.shutdown(Shutdown::Both);
    }
    let request = read_message(&mut client)?;
    if mood.silent {
        // Until the client gives up.
        return client.read(&mut [0]).map(drop);
    }
    let answer = if mood.refusing && contains(&request, "Action=AssumeRole") {
        refusal()
    } else {
        let mut server = TcpStream::connect(("127.0.0.1", behind))?;
        server.write_all(&closing(&request))?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        changed(&answer, mood)
    };
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Write)
}

/// Headers, and a body as long as `Content-Length` says.
fn read_message(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(end) = head_end(&message) {
            let head = String::from_utf8_lossy(&message[..end]).to_ascii_lowercase();
            let length = head
                .split("content-length:")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse().ok());
            if message.len() >= end + length.unwrap_or(0) {
                return Ok(message);
            }
        }
        let read = from.read(&mut part)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        message.extend(&part[..read]);
    }
}

fn head_end(message: &[u8]) -> Option<usize> {
    message
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

fn contains(message: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(message).contains(text)
}

/// The request, after which the connection ends.
fn closing(request: &[u8]) -> Vec<u8> {
    let end = head_end(request).unwrap_or(0);
    let head = String::from_utf8_lossy(&request[..end]);
    let kept = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:") && !line.is_empty());
    let mut changed: Vec<String> = kept.map(str::to_owned).collect();
    changed.push("Connection: close".into());
    let mut bytes = (changed.join("\r\n") + "\r\n\r\n").into_bytes();
    bytes.extend(&request[end..]);
    bytes
}

fn refusal() -> Vec<u8> {
    let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/base is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/uploader</Message></Error><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>";
    let head = format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    (head + body).into_bytes()
}

/// An answer as the mood makes it, with its length put right.
fn changed(answer: &[u8], mood: &Mood) -> Vec<u8> {
    let end = head_end(answer).unwrap_or(answer.len());
    let mut body = String::from_utf8_lossy(&answer[end..]).into_owned();
    let ahead = SystemTime::now() + mood.clock_ahead;
    if mood.lifetime.is_some() || !mood.clock_ahead.is_zero() {
        let lifetime = mood.lifetime.unwrap_or(Duration::from_secs(900));
        body = replaced(&body, "Expiration", &timestamp(ahead + lifetime));
    }
    if let Some(length) = mood.token_length {
        body = replaced(&body, "SessionToken", &"t".repeat(length));
    }
    let head = String::from_utf8_lossy(&answer[..end]);
    let lines = head.lines().filter(|line| !line.is_empty());
    let mut lines: Vec<String> = lines
        .map(|line| match line.split(':').next().unwrap_or_default() {
            name if name.eq_ignore_ascii_case("content-length") => {
                format!("Content-Length: {}", body.len())
            }
            name if name.eq_ignore_ascii_case("date") => format!("Date: {}", http_date(ahead)),
            _ => line.to_owned(),
        })
        .collect();
    lines.push("Connection: close".into());
    (lines.join("\r\n") + "\r\n\r\n" + &body).into_bytes()
}

/// The text of an XML element.
fn replaced(body: &str, element: &str, text: &str) -> String {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    match (body.find(&open), body.find(&close)) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{text}{}", &body[..start + open.len()], &body[end..])
        }
        _ => body.to_owned(),
    }
}

/// `2026-11-20T10:31:00Z`.
fn timestamp(time: SystemTime) -> String {
    let at = civil(time);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.0, at.1, at.2, at.3, at.4, at.5
    )
}

/// `Fri, 20 Nov 2026 10:31:00 GMT` (RFC 9110, section 5.6.7).
fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = seconds(time) / 86_400;
    let at = civil(time);
    format!(
        "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
        DAYS[usize::try_from(days % 7).unwrap_or(0)],
        at.2,
        MONTHS[usize::try_from(at.1 - 1).unwrap_or(0)],
        at.0,
        at.3,
        at.4,
        at.5
    )
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Year, month, day, hour, minute, second in UTC (Howard Hinnant's `civil_from_days`).
fn civil(time: SystemTime) -> (u64, u64, u64, u64, u64, u64) {
    let all = seconds(time);
    let days = all / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, day, all / 3600 % 24, all / 60 % 60, all % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_aws_writes_them() {
        let at = UNIX_EPOCH + Duration::from_secs(1_795_170_660);
        assert_eq!(timestamp(at), "2026-11-20T10:31:00Z");
        assert_eq!(http_date(at), "Fri, 20 Nov 2026 10:31:00 GMT");
    }
}
