// SPDX-License-Identifier: MPL-2.0
//! A camera over TCP that sends what a test tells it to: any session description, and RTP packets
//! at the moments given (RFC 2326, 10.12: interleaved).

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

/// An RTP packet: which track sends it, and when after PLAY.
#[derive(Clone)]
pub struct Packet {
    pub track: usize,
    pub at: Duration,
    pub bytes: Vec<u8>,
}

/// What it offers.
pub struct Show {
    /// The media sections; track n has `a=control:trackn`.
    pub media: String,
    pub packets: Vec<Packet>,
}

/// The media section of a stream of H.264.
pub const H264: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track0\r\n";

/// Serves `show` until the test ends; returns its URI.
pub fn start(show: Show) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let show = Arc::new(show);
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let show = Arc::clone(&show);
            // A client that goes away ends its thread.
            thread::spawn(move || serve(connection, &show));
        }
    });
    format!("rtsp://{address}/cam")
}

fn serve(mut connection: TcpStream, show: &Show) -> Option<()> {
    let mut requests = BufReader::new(connection.try_clone().ok()?);
    let mut channels: Vec<(usize, u8)> = Vec::new();
    loop {
        let (method, uri, fields) = request(&mut requests)?;
        let field = |name: &str| {
            let found = fields
                .iter()
                .find(|line| line.to_ascii_lowercase().starts_with(name));
            found
                .and_then(|line| line.split_once(':'))
                .map_or("", |(_, value)| value.trim())
        };
        let mut answer = format!(
            "RTSP/1.0 200 OK\r\nCSeq: {}\r\nSession: 1\r\n",
            field("cseq")
        );
        let mut body = String::new();
        match method.as_str() {
            "OPTIONS" => answer += "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
            "DESCRIBE" => {
                body = format!(
                    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n{}",
                    show.media
                );
                answer += &format!(
                    "Content-Base: {uri}/\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n",
                    body.len()
                );
            }
            "SETUP" => {
                let channel = field("transport").split_once("interleaved=")?.1;
                let channel: u8 = channel.split('-').next()?.parse().ok()?;
                let track = uri.rsplit_once("track")?.1.parse().ok()?;
                channels.push((track, channel));
                answer += &format!(
                    "Transport: RTP/AVP/TCP;unicast;interleaved={channel}-{}\r\n",
                    channel + 1
                );
            }
            _ => {}
        }
        connection
            .write_all(format!("{answer}\r\n{body}").as_bytes())
            .ok()?;
        if method == "PLAY" {
            break;
        }
    }
    let started = Instant::now();
    for packet in &show.packets {
        let Some((_, channel)) = channels.iter().find(|(track, _)| *track == packet.track) else {
            continue;
        };
        thread::sleep(packet.at.saturating_sub(started.elapsed()));
        let length = u16::try_from(packet.bytes.len()).ok()?.to_be_bytes();
        let framed = [
            &[b'$', *channel, length[0], length[1]],
            packet.bytes.as_slice(),
        ]
        .concat();
        connection.write_all(&framed).ok()?;
    }
    // Silent from here on, as a camera that hangs.
    thread::sleep(Duration::from_secs(60));
    None
}

/// Method, URI and header fields.
fn request(from: &mut impl BufRead) -> Option<(String, String, Vec<String>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" if lines.is_empty() => {}
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, uri) = (first.next()?.to_owned(), first.next()?.to_owned());
    Some((method, uri, lines))
}

/// The packets of a stream that this text makes, in the syntax of `gst-launch-1.0`.
pub fn packets(track: usize, text: &str) -> Vec<Packet> {
    gst::init().expect("GStreamer starts");
    let text = format!("{text} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&text).expect("a pipeline");
    let pipeline = pipeline
        .downcast::<gst::Pipeline>()
        .expect("several elements");
    let out = pipeline.by_name("out").expect("named above");
    let out = out.downcast::<gst_app::AppSink>().expect("it is one");
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let mut packets = Vec::new();
    // x264enc begins a thousand hours late.
    let mut first = None;
    while let Ok(sample) = out.pull_sample() {
        let Some(buffer) = sample.buffer() else {
            continue;
        };
        let at: Duration = buffer.pts().map_or(Duration::ZERO, Into::into);
        packets.push(Packet {
            track,
            at: at.saturating_sub(*first.get_or_insert(at)),
            bytes: buffer.map_readable().expect("memory").to_vec(),
        });
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    packets
}

/// As many seconds of H.264, at 25 frames a second, a keyframe each second.
pub fn h264(track: usize, seconds: u32, ssrc: u32) -> Vec<Packet> {
    let frames = seconds * 25;
    packets(
        track,
        &format!(
            "videotestsrc num-buffers={frames} ! video/x-raw,width=160,height=120,framerate=25/1 \
             ! x264enc tune=zerolatency key-int-max=25 ! h264parse \
             ! rtph264pay pt=96 config-interval=1 ssrc={ssrc} timestamp-offset=0 seqnum-offset=0 \
               aggregate-mode=none"
        ),
    )
}

/// Merged by time.
pub fn merged(streams: impl IntoIterator<Item = Vec<Packet>>) -> Vec<Packet> {
    let mut packets: Vec<Packet> = streams.into_iter().flatten().collect();
    packets.sort_by_key(|packet| packet.at);
    packets
}
