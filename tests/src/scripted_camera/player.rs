// SPDX-License-Identifier: MPL-2.0
//! Plays a script to one client, paced by the machine's monotonic clock.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::script::{Act, Event, Script, Sent};

/// How one track reaches the client.
#[derive(Debug)]
pub enum Lane {
    /// Interleaved with RTSP, on this channel and the next (RFC 2326 10.12).
    Tcp(u8),
    /// In datagrams, from these sockets, which are connected.
    Udp {
        /// RTP.
        data: UdpSocket,
        /// RTCP.
        control: UdpSocket,
    },
}

/// A connection's other half: answers and packets go out whole, one after the other.
#[derive(Clone, Debug)]
pub struct Writer(Arc<Mutex<TcpStream>>);

impl Writer {
    pub fn new(stream: TcpStream) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.0
            .lock()
            .expect("no panic while writing")
            .write_all(bytes)
    }

    pub fn close(&self) {
        let stream = self.0.lock().expect("no panic while writing");
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn interleaved(&self, channel: u8, packet: &[u8]) -> io::Result<()> {
        let bytes = u16::try_from(packet.len()).expect("packets are small");
        let [high, low] = bytes.to_be_bytes();
        self.write(&[&[b'$', channel, high, low], packet].concat())
    }
}

/// What a player needs.
pub struct Player {
    /// Which session this is, from 0 on.
    pub session: usize,
    pub script: Arc<Script>,
    /// By track; none where the client did not ask for it.
    pub lanes: Vec<Option<Lane>>,
    pub writer: Writer,
    pub log: Arc<Mutex<Vec<Sent>>>,
}

fn utc_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.expect("after 1970").as_nanos();
    i64::try_from(since).expect("before 2262")
}

impl Player {
    /// Plays to the end, or until the client is gone.
    pub fn play(&self) -> io::Result<()> {
        let (start, start_utc_ns) = (Instant::now(), utc_ns());
        for event in &self.script.events {
            let due = Duration::from_nanos(event.at_ns.max(0).unsigned_abs());
            if let Some(wait) = due.checked_sub(start.elapsed()) {
                thread::sleep(wait);
            }
            self.act(event, start_utc_ns)?;
        }
        Ok(())
    }

    fn act(&self, event: &Event, start_utc_ns: i64) -> io::Result<()> {
        let lane = self.lanes.get(event.track).and_then(Option::as_ref);
        match (&event.act, lane) {
            (Act::HangUp, _) => self.writer.close(),
            (Act::Note(note), Some(_)) => {
                let captured_utc_ns = start_utc_ns + note.captured_ns;
                self.log.lock().expect("no panic while noting").push(Sent {
                    note: *note,
                    session: self.session,
                    captured_utc_ns,
                    camera_utc_ns: captured_utc_ns + note.clock_ahead_ns,
                    sent_utc_ns: utc_ns(),
                });
            }
            (Act::Rtp(packet), Some(Lane::Tcp(channel))) => {
                self.writer.interleaved(*channel, packet)?;
            }
            (Act::Rtp(packet), Some(Lane::Udp { data, .. })) => send(data, packet),
            (Act::Report { clock, report }, Some(lane)) => {
                let mut report = *report;
                report.ntp = clock.ntp(start_utc_ns);
                let packet = super::packets::sender_report(report);
                match lane {
                    Lane::Tcp(channel) => self.writer.interleaved(channel + 1, &packet)?,
                    Lane::Udp { control, .. } => send(control, &packet),
                }
            }
            (_, None) => (),
        }
        Ok(())
    }
}

/// A datagram to a client that is gone is no error of the camera's.
fn send(socket: &UdpSocket, packet: &[u8]) {
    let _ = socket.send(packet);
}
