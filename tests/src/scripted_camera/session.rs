// SPDX-License-Identifier: MPL-2.0
//! One client's connection: reads requests, answers them, starts the player.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;

use super::player::{Lane, Player, Writer};
use super::script::Script;
use super::server::Shared;

/// A request: its first line, and its headers.
struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }
}

pub struct Session {
    shared: Arc<Shared>,
    writer: Writer,
    /// What is played, once it was described.
    script: Option<(usize, Arc<Script>)>,
    lanes: Vec<Option<Lane>>,
}

impl Session {
    pub fn new(shared: Arc<Shared>, writer: Writer) -> Self {
        Self {
            shared,
            writer,
            script: None,
            lanes: Vec::new(),
        }
    }

    /// Answers until the client goes.
    pub fn serve(mut self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(request)) = next_request(&mut reader) {
            if self.answer(&request).is_err() {
                break;
            }
        }
        self.writer.close();
    }

    fn answer(&mut self, request: &Request) -> io::Result<()> {
        let public = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n";
        match request.method.as_str() {
            "OPTIONS" => self.reply(request, "200 OK", public, ""),
            "DESCRIBE" => self.describe(request),
            "SETUP" => self.setup(request),
            "PLAY" => self.play(request),
            "GET_PARAMETER" | "SET_PARAMETER" => self.reply(request, "200 OK", "", ""),
            "TEARDOWN" => {
                self.reply(request, "200 OK", "", "")?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            _ => self.reply(request, "501 Not Implemented", "", ""),
        }
    }

    fn reply(&self, request: &Request, status: &str, headers: &str, body: &str) -> io::Result<()> {
        let number = request.header("CSeq").unwrap_or("0");
        let session = match request.method.as_str() {
            "OPTIONS" | "DESCRIBE" => "",
            _ => "Session: 4711\r\n",
        };
        let length = match body.len() {
            0 => String::new(),
            bytes => format!("Content-Length: {bytes}\r\n"),
        };
        let head = format!("RTSP/1.0 {status}\r\nCSeq: {number}\r\n{session}{headers}{length}\r\n");
        self.writer.write(format!("{head}{body}").as_bytes())
    }

    fn describe(&mut self, request: &Request) -> io::Result<()> {
        let session = self.shared.played.load(Ordering::SeqCst);
        let Some(script) = self.shared.scripts.get(session) else {
            return self.reply(request, "503 Service Unavailable", "", "");
        };
        self.script = Some((session, script.clone()));
        let headers = format!(
            "Content-Type: application/sdp\r\nContent-Base: {}/\r\n",
            request.url.trim_end_matches('/')
        );
        let sdp = script.sdp.replace('\n', "\r\n");
        self.reply(request, "200 OK", &headers, &sdp)
    }

    fn setup(&mut self, request: &Request) -> io::Result<()> {
        let track = request.url.rsplit("track").next();
        let track = track.and_then(|number| number.trim_end_matches('/').parse::<usize>().ok());
        let transport = request.header("Transport").unwrap_or_default();
        let lane = match (
            between(transport, "interleaved="),
            between(transport, "client_port="),
        ) {
            (Some((first, _)), _) => u8::try_from(first).ok().map(Lane::Tcp),
            (None, Some((data, control))) => udp(data, control).ok(),
            (None, None) => None,
        };
        let (Some(track), Some(lane)) = (track, lane) else {
            return self.reply(request, "461 Unsupported Transport", "", "");
        };
        let chosen = match &lane {
            Lane::Tcp(channel) => {
                format!("RTP/AVP/TCP;unicast;interleaved={channel}-{}", channel + 1)
            }
            Lane::Udp { data, control } => {
                let (data, control) = (data.local_addr()?.port(), control.local_addr()?.port());
                let client = between(transport, "client_port=").unwrap_or_default();
                format!(
                    "RTP/AVP;unicast;client_port={}-{};server_port={data}-{control}",
                    client.0, client.1
                )
            }
        };
        self.lanes
            .resize_with(self.lanes.len().max(track + 1), || None);
        self.lanes[track] = Some(lane);
        self.reply(request, "200 OK", &format!("Transport: {chosen}\r\n"), "")
    }

    fn play(&mut self, request: &Request) -> io::Result<()> {
        let Some((session, script)) = self.script.take() else {
            return self.reply(request, "455 Method Not Valid in This State", "", "");
        };
        self.shared.played.store(session + 1, Ordering::SeqCst);
        self.reply(request, "200 OK", "Range: npt=0.000-\r\n", "")?;
        let player = Player {
            session,
            script,
            lanes: std::mem::take(&mut self.lanes),
            writer: self.writer.clone(),
            log: self.shared.log.clone(),
        };
        let shared = self.shared.clone();
        thread::spawn(move || {
            // Cut short when the client goes, which a test sees by what was noted.
            let _ = player.play();
            shared.ended.fetch_add(1, Ordering::SeqCst);
        });
        Ok(())
    }
}

/// The two numbers behind a key, as in `interleaved=0-1`.
fn between(transport: &str, key: &str) -> Option<(u16, u16)> {
    let (_, value) = transport.split_once(key)?;
    let value = value.split([';', ',']).next()?;
    let (first, second) = value.split_once('-')?;
    Some((first.trim().parse().ok()?, second.trim().parse().ok()?))
}

fn udp(data: u16, control: u16) -> io::Result<Lane> {
    let connected = |port: u16| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(("127.0.0.1", port))?;
        Ok::<_, io::Error>(socket)
    };
    Ok(Lane::Udp {
        data: connected(data)?,
        control: connected(control)?,
    })
}

/// The next request; packets that the client sends in between are passed over.
fn next_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    loop {
        match reader.fill_buf()?.first() {
            None => return Ok(None),
            Some(b'$') => {
                let mut head = [0; 4];
                reader.read_exact(&mut head)?;
                let bytes = u16::from_be_bytes([head[2], head[3]]);
                io::copy(&mut reader.take(u64::from(bytes)), &mut io::sink())?;
            }
            Some(_) => break,
        }
    }
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(url)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut request = Request {
        method,
        url,
        headers: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request
            .headers
            .push((name.to_owned(), value.trim().to_owned()));
    }
    let length = request.header("Content-Length");
    let body = length.and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
    io::copy(&mut reader.take(body), &mut io::sink())?;
    Ok(Some(request))
}

/// Everything that was ever noted.
pub type Log = Arc<Mutex<Vec<super::script::Sent>>>;
