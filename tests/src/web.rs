// SPDX-License-Identifier: MPL-2.0
//! A small web server on loopback that answers as a test wants it to: an OAuth2 server, AWS IoT's
//! credential provider behind mutual TLS, an STS whose clock is wrong. One request per connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a client asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

impl Request {
    /// A header's value; its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What it gets.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// `Content-Length` and `Connection` are added.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::of(status, "application/json", body)
    }

    /// XML, as STS speaks it.
    pub fn xml(status: u16, body: impl Into<String>) -> Self {
        Self::of(status, "text/xml", body)
    }

    /// Plain text, and all is well.
    pub fn text(body: impl Into<String>) -> Self {
        Self::of(200, "text/plain", body)
    }

    fn of(status: u16, kind: &str, body: impl Into<String>) -> Self {
        Answer {
            status,
            headers: vec![("Content-Type".into(), kind.into())],
            body: body.into(),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server that ends with the test.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

struct Shared {
    handler: Box<Handler>,
    tls: Option<Arc<ServerConfig>>,
    asked: Mutex<Vec<Request>>,
    stopped: AtomicBool,
}

impl Server {
    /// Without TLS.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn plain(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(Box::new(handler), None)
    }

    /// With TLS; a client that the configuration does not let in gets no answer.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub fn tls(
        config: ServerConfig,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::start(Box::new(handler), Some(Arc::new(config)))
    }

    fn start(handler: Box<Handler>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            handler,
            tls,
            asked: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let serving = serving.clone();
                // A client that breaks off is the test's intention.
                thread::spawn(move || serving.serve(stream));
            }
        });
        Server {
            address,
            scheme,
            shared,
        }
    }

    /// `http://127.0.0.1:40000`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it was asked, oldest first.
    ///
    /// # Panics
    /// When the handler panicked.
    pub fn asked(&self) -> Vec<Request> {
        self.shared
            .asked
            .lock()
            .expect("the handler did not panic")
            .clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .ok()?;
        match &self.tls {
            None => self.answer(stream),
            Some(config) => {
                let connection = ServerConnection::new(config.clone()).ok()?;
                let mut stream = StreamOwned::new(connection, stream);
                self.answer(&mut stream)?;
                stream.conn.send_close_notify();
                stream.flush().ok()
            }
        }
    }

    fn answer(&self, mut stream: impl Read + Write) -> Option<()> {
        let request = read(&mut stream)?;
        let answer = (self.handler)(&request);
        self.asked.lock().ok()?.push(request);
        let mut text = format!("HTTP/1.1 {} -\r\n", answer.status);
        for (name, value) in &answer.headers {
            text += &format!("{name}: {value}\r\n");
        }
        let length = answer.body.len();
        text += &format!(
            "Content-Length: {length}\r\nConnection: close\r\n\r\n{}",
            answer.body
        );
        stream.write_all(text.as_bytes()).ok()?;
        stream.flush().ok()
    }
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut stream = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        Some(line.trim_end().to_string())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let mut request = Request {
        method: words.next()?.into(),
        path: words.next()?.into(),
        ..Request::default()
    };
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let length = request
        .header("content-length")
        .and_then(|n| n.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}
