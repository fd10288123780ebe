// SPDX-License-Identifier: MPL-2.0
//! A real RTSP camera on loopback, which knows what it sent and when by its own clock.
//!
//! It is GStreamer's RTSP server around either a clip, paced as a camera would send it, or a live
//! encoder. The camera's clock may be ahead of or behind this machine's: the media's pipeline clock
//! *is* the camera's clock (system time plus an offset, counted from 1900 as RTP does), and RTCP
//! sender reports are told to map RTP time to that clock at the moment of capture
//! (RFC 3550 §6.4.1). A probe in front of each payloader notes every frame that goes out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{
    RTSPFilterResult, RTSPMedia, RTSPMediaFactory, RTSPPublishClockMode, RTSPServer,
};

use crate::frames::{self, Codec, Hash, Track};
use crate::pace;

/// From 1900, where NTP begins, to 1970.
pub const NTP_TO_UNIX_NS: i64 = 2_208_988_800 * 1_000_000_000;

/// What the camera shows.
#[derive(Clone, Debug)]
pub enum Picture {
    /// A file with H.264 or H.265 video, AAC, Opus or A-law audio, or both, sent as it is.
    Clip {
        /// The file.
        path: PathBuf,
        /// From the top again when it ends, or end of stream.
        repeat: bool,
    },
    /// A synthetic picture with a running clock, and a tone, encoded as it goes; 640x360 at 25
    /// frames per second in H.264 without B-frames, one keyframe per second, and AAC.
    Live,
}

/// A camera to be started.
#[derive(Clone, Debug)]
pub struct Media {
    /// What it shows.
    pub picture: Picture,
    /// How far the camera's clock is ahead of this machine's.
    pub clock_ahead_ns: i64,
}

impl Media {
    /// A clip shown once, by an accurate clock.
    pub fn clip(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self {
            picture: Picture::Clip {
                path,
                repeat: false,
            },
            clock_ahead_ns: 0,
        }
    }

    /// The live picture, by an accurate clock.
    pub fn live() -> Self {
        Self {
            picture: Picture::Live,
            clock_ahead_ns: 0,
        }
    }

    /// The clip shown again and again.
    #[must_use]
    pub fn repeated(mut self) -> Self {
        if let Picture::Clip { repeat, .. } = &mut self.picture {
            *repeat = true;
        }
        self
    }

    /// With a clock ahead of this machine's.
    #[must_use]
    pub fn clock_ahead_ns(mut self, ns: i64) -> Self {
        self.clock_ahead_ns = ns;
        self
    }
}

/// A frame that left the camera.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its track.
    pub codec: Codec,
    /// Its number in the track, in the order sent (decoding order).
    pub index: usize,
    /// When it was captured by the camera's own clock, in nanoseconds since 1970.
    pub utc_ns: i64,
    /// What is seen or heard, as in [`Codec::picture`].
    pub picture: Hash,
}

/// What the camera did so far.
#[derive(Clone, Default)]
struct Log {
    sent: Arc<Mutex<Vec<Sent>>>,
    played: Arc<AtomicBool>,
}

/// A camera that serves until dropped.
pub struct Camera {
    /// Where it is.
    pub url: String,
    media: Media,
    port: i32,
    log: Log,
    serving: Option<Serving>,
}

impl Camera {
    /// Starts a camera on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the clip cannot be read or the server does not start.
    pub fn start(media: Media) -> Self {
        Self::start_on(media, 0)
    }

    /// Starts a camera on the given port of 127.0.0.1 (0: a free one).
    ///
    /// # Panics
    /// When the clip cannot be read or the port is taken.
    pub fn start_on(media: Media, port: u16) -> Self {
        gst::init().expect("GStreamer starts");
        let log = Log::default();
        let serving = Serving::start(&media, i32::from(port), &log);
        let port = serving.port;
        let url = format!("rtsp://127.0.0.1:{port}/cam");
        Self {
            url,
            media,
            port,
            log,
            serving: Some(serving),
        }
    }

    /// Takes the camera away: connections break, the port closes.
    pub fn stop(&mut self) {
        self.serving = None;
    }

    /// Brings the camera back at the same address; a clip starts from its top.
    pub fn restart(&mut self) {
        self.stop();
        self.serving = Some(Serving::start(&self.media, self.port, &self.log));
    }

    /// Every frame that left the camera so far, oldest first.
    pub fn sent(&self) -> Vec<Sent> {
        self.log.sent.lock().expect("no panic while noting").clone()
    }

    /// Whether a clip has been shown to its end.
    pub fn has_played(&self) -> bool {
        self.log.played.load(Ordering::Relaxed)
    }

    /// The frames of the video track that left so far, in the order sent.
    pub fn video_sent(&self) -> Vec<Sent> {
        let mut sent = self.sent();
        sent.retain(|frame| frame.codec.is_video());
        sent
    }
}

/// A running server: its main loop in a thread of its own.
struct Serving {
    port: i32,
    server: RTSPServer,
    source: Option<glib::SourceId>,
    main: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(media: &Media, port: i32, log: &Log) -> Self {
        let server = RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let mounts = server
            .mount_points()
            .expect("a new server has mount points");
        mounts.add_factory("/cam", factory(media, log));
        let context = glib::MainContext::new();
        let source = server
            .attach(Some(&context))
            .unwrap_or_else(|_| panic!("port {port} of 127.0.0.1 is taken"));
        let main = glib::MainLoop::new(Some(&context), false);
        let port = server.bound_port();
        let looped = main.clone();
        let thread = std::thread::spawn(move || looped.run());
        Self {
            port,
            server,
            source: Some(source),
            main,
            thread: Some(thread),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // From inside the loop: asked to quit before it runs, it would not.
        let (main, server, mut source) =
            (self.main.clone(), self.server.clone(), self.source.take());
        let quit = glib::idle_source_new(None, glib::Priority::HIGH, move || {
            let listening = source
                .take()
                .and_then(|id| main.context().find_source_by_id(&id));
            if let Some(listening) = listening {
                listening.destroy();
            }
            server.client_filter(Some(&mut |_, client| {
                client.close();
                RTSPFilterResult::Remove
            }));
            main.quit();
            glib::ControlFlow::Break
        });
        quit.attach(Some(&self.main.context()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// This machine's clock plus an offset, counted from 1900.
fn camera_clock(ahead_ns: i64) -> gst::Clock {
    let clock: gst::Clock = glib::Object::builder::<gst::SystemClock>()
        .property("clock-type", gst::ClockType::Realtime)
        .build()
        .upcast();
    let external = u64::try_from(NTP_TO_UNIX_NS + ahead_ns).expect("a clock after 1900");

    clock.set_calibration(
        gst::ClockTime::ZERO,
        gst::ClockTime::from_nseconds(external),
        1,
        1,
    );
    clock
}

fn factory(media: &Media, log: &Log) -> RTSPMediaFactory {
    let factory = RTSPMediaFactory::new();
    factory.set_shared(true);
    factory.set_media_gtype(timed::TimedMedia::static_type());
    factory.set_clock(Some(&camera_clock(media.clock_ahead_ns)));
    factory.set_publish_clock_mode(RTSPPublishClockMode::None);
    let (launch, clip) = match &media.picture {
        Picture::Live => (LIVE.to_owned(), None),
        Picture::Clip { path, repeat } => {
            let tracks = Arc::new(frames::read(path));
            (clip_launch(&tracks), Some((tracks, *repeat)))
        }
    };
    factory.set_launch(&launch);
    let log = log.clone();
    factory.connect_media_configure(move |_, media| {
        let element = media.element();
        let bin = element
            .downcast_ref::<gst::Bin>()
            .expect("a launch line makes a bin");
        note_sent(bin, &log);
        if let Some((tracks, repeat)) = &clip {
            feed(bin, media, tracks.clone(), *repeat, log.played.clone());
        }
    });
    factory
}

const LIVE: &str = "( \
    videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=25/1 \
    ! timeoverlay ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=1000 key-int-max=25 \
    ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au \
    ! rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency \
    audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=2 ! avenc_aac \
    ! aacparse ! audio/mpeg,stream-format=raw ! rtpmp4gpay name=pay1 pt=97 )";

fn clip_launch(tracks: &[Track]) -> String {
    assert!(
        !tracks.is_empty(),
        "the clip has no track that a camera can send"
    );
    let branch = |(index, track): (usize, &Track)| {
        let payloader = match track.codec {
            Codec::H264 => "rtph264pay config-interval=-1 aggregate-mode=zero-latency",
            Codec::H265 => "rtph265pay config-interval=-1 aggregate-mode=zero-latency",
            Codec::Aac => "rtpmp4gpay",
            Codec::Opus => "rtpopuspay",
            Codec::Alaw => "rtppcmapay",
        };
        let payload_type = 96 + index;
        format!(
            "appsrc name=source{index} format=time is-live=true max-bytes=0 \
             ! {payloader} name=pay{index} pt={payload_type} "
        )
    };
    let branches: String = tracks.iter().enumerate().map(branch).collect();
    format!("( {branches})")
}

/// Notes each frame in front of its payloader, with the camera's time of its capture.
fn note_sent(bin: &gst::Bin, log: &Log) {
    for track in 0.. {
        let Some(payloader) = bin.by_name(&format!("pay{track}")) else {
            break;
        };
        let pad = payloader
            .static_pad("sink")
            .expect("a payloader has a sink");
        let sent = log.sent.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(frame) = info.buffer().and_then(|buffer| note(pad, buffer)) {
                let mut sent = sent.lock().expect("no panic while noting");
                let index = sent
                    .iter()
                    .filter(|other| other.codec == frame.codec)
                    .count();
                sent.push(Sent { index, ..frame });
            }
            gst::PadProbeReturn::Ok
        });
    }
}

fn note(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<Sent> {
    let caps = pad.current_caps()?;
    let codec = Codec::of(&caps)?;
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
    let running = segment.to_running_time(buffer.pts()?)?;
    let base = pad.parent_element()?.base_time()?;
    let ntp_ns = i64::try_from((base + running).nseconds()).ok()?;
    let picture = codec.picture(&buffer.map_readable().ok()?);
    Some(Sent {
        codec,
        index: 0,
        utc_ns: ntp_ns - NTP_TO_UNIX_NS,
        picture,
    })
}

/// Feeds a clip into the media's sources until the media is gone.
fn feed(
    bin: &gst::Bin,
    media: &RTSPMedia,
    tracks: Arc<Vec<Track>>,
    repeat: bool,
    played: Arc<AtomicBool>,
) {
    let gone = Arc::new(AtomicBool::new(false));
    let flag = gone.clone();
    media.connect_unprepared(move |_| flag.store(true, Ordering::Relaxed));
    let sources: Vec<gst_app::AppSrc> = (0..tracks.len())
        .map(|index| {
            bin.by_name(&format!("source{index}"))
                .and_downcast()
                .expect("in the launch")
        })
        .collect();
    for (source, track) in sources.iter().zip(tracks.iter()) {
        source.set_caps(Some(&track.caps));
    }
    std::thread::spawn(move || {
        let still_there = || !gone.load(Ordering::Relaxed);
        while sources
            .iter()
            .any(|source| source.current_state() != gst::State::Playing)
        {
            if !still_there() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        if pace::play(&sources, &tracks, repeat, still_there) {
            played.store(true, Ordering::Relaxed);
        }
    });
}

/// A media whose sender reports tell the camera's time of capture.
mod timed {
    use gst::glib;
    use gst::prelude::*;
    use gst::subclass::prelude::*;
    use gst_rtsp_server::subclass::prelude::*;

    mod imp {
        use super::*;

        #[derive(Default)]
        pub struct TimedMedia;

        #[glib::object_subclass]
        impl ObjectSubclass for TimedMedia {
            const NAME: &'static str = "TestsTimedMedia";
            type Type = super::TimedMedia;
            type ParentType = gst_rtsp_server::RTSPMedia;
        }

        impl ObjectImpl for TimedMedia {}

        impl RTSPMediaImpl for TimedMedia {
            fn setup_rtpbin(&self, rtpbin: &gst::Element) -> Result<(), gst::LoggableError> {
                rtpbin.set_property_from_str("ntp-time-source", "clock-time");
                rtpbin.set_property("rtcp-sync-send-time", false);
                self.parent_setup_rtpbin(rtpbin)
            }
        }
    }

    glib::wrapper! {
        pub struct TimedMedia(ObjectSubclass<imp::TimedMedia>) @extends gst_rtsp_server::RTSPMedia;
    }
}
