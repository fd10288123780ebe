// SPDX-License-Identifier: MPL-2.0
//! Plays a file in headless Chromium and tells what it showed.
//!
//! A page with one `<video>` is served on loopback by a few lines of our own (any web server can
//! serve an archive, so the test wants no particular one); the page counts the pictures it is
//! given and posts a report when the video ends or fails. MPEG-TS, which Chromium does not play, is
//! played by hls.js, as the one segment of a playlist.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::Value;

/// What Chromium made of a file.
#[derive(Clone, Debug)]
pub struct Played {
    /// Pictures decoded, of which some may not have been painted.
    pub decoded: u64,
    /// Pictures handed to the page by `requestVideoFrameCallback`.
    pub painted: u64,
    /// Sounds decoded, in bytes of their encoding.
    pub audio_bytes: u64,
    /// The duration the video element states.
    pub duration_s: f64,
    /// Width and height of the picture.
    pub size: (u64, u64),
    /// What the video element said when it failed.
    pub error: Option<String>,
    /// Each picture handed to the page, in the order of that.
    pub shown: Vec<Shown>,
}

/// A picture that was handed to the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Its time in the file, `mediaTime`.
    pub time_s: f64,
    /// Its width and height.
    pub size: (u64, u64),
    /// What the fields along its top say: in the small clips, its number.
    pub number: u64,
}

/// Plays until all pictures wanted have been shown, at most so often.
const MOST_PLAYS: u32 = 5;

/// `RATE`, `WANTED`, `FIELD`, `MOST_PLAYS` and `PLAYER` are put in.
const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>playing</title>
<video id="v" muted playsinline></video>
<script src="/hls.js"></script>
<script>
const v = document.getElementById("v");
const shown = [];
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const number = (width, height) => {
  canvas.drawImage(v, 0, 0, width, height);
  const row = canvas.getImageData(0, 4, 12 * 16, 1).data;
  let number = 0;
  for (let bit = 0; bit < 12; bit++) if (row[4 * (16 * bit + 8)] > 127) number += 1 << bit;
  return number;
};
const show = (now, picture) => {
  shown.push([picture.mediaTime, picture.width, picture.height,
    number(picture.width, picture.height)]);
  v.requestVideoFrameCallback(show);
};
v.requestVideoFrameCallback(show);
let sent = false, quality = null, painted = 0;
const look = () => { quality = v.getVideoPlaybackQuality(); painted = shown.length; };
const report = (error) => {
  if (sent) return;
  sent = true;
  if (!quality) look();
  fetch("/report", { method: "POST", body: JSON.stringify({
    decoded: quality.totalVideoFrames, painted, audio_bytes: v.webkitAudioDecodedByteCount,
    duration_s: v.duration, width: v.videoWidth, height: v.videoHeight, error, shown }) });
};
// On a busy machine pictures are dropped: then once more.
let plays = 0;
const is_missing = (one) => !shown.some((picture) => Math.abs(picture[FIELD] - one) < 0.005);
v.onended = () => setTimeout(() => {
  plays++;
  if (plays == 1) look();
  if (plays == MOST_PLAYS || !WANTED.some(is_missing)) return report(null);
  v.currentTime = 0;
  v.play();
}, 100);
v.onerror = () => report("code " + v.error.code + ": " + v.error.message);
v.defaultPlaybackRate = v.playbackRate = RATE;
PLAYER
v.play().catch((e) => report(String(e)));
</script>
"#;

const PLAYS_ITSELF: &str = r#"v.src = "/video";"#;
/// What hls.js mends by itself is no error: it waits for a slow machine.
const PLAYS_HLS: &str = r#"
const hls = new Hls();
const waits = ["bufferStalledError", "bufferNudgeOnStall", "bufferSeekOverHole"];
hls.on(Hls.Events.ERROR, (_, e) => {
  if (!waits.includes(e.details)) report(e.type + ": " + e.details + ": " + e.error);
});
hls.loadSource("/video.m3u8");
hls.attachMedia(v);
"#;

/// What a page is made of.
struct Site<'a> {
    rate: f64,
    /// What has to be shown, as a field of `shown` in the page and its values.
    field: u8,
    wanted: String,
    player: &'a str,
    playlist: String,
}

/// Plays a file from its beginning to its end.
///
/// # Panics
/// When Chromium is not installed or reports nothing within a minute.
pub fn chromium_plays(path: &Path) -> Played {
    chromium_shows(path, 1.0, &[])
}

/// Likewise, at another rate, and once more where pictures at these times were dropped.
///
/// # Panics
/// When Chromium is not installed or reports nothing within a minute.
pub fn chromium_shows(path: &Path, rate: f64, wanted_s: &[f64]) -> Played {
    let site = Site {
        rate,
        field: 0,
        wanted: format!("{wanted_s:?}"),
        player: PLAYS_ITSELF,
        playlist: String::new(),
    };
    play(path, &site)
}

/// Has hls.js play MPEG-TS that lasts so long, once more where pictures with these numbers were
/// dropped.
///
/// # Panics
/// When Chromium is not installed or reports nothing within a minute.
pub fn hls_shows(path: &Path, rate: f64, duration_s: f64, numbers: &[u64]) -> Played {
    assert!(hls_js().exists(), "hls.js is not there; run `make setup`");
    let site = Site {
        rate,
        field: 3,
        wanted: format!("{numbers:?}"),
        player: PLAYS_HLS,
        playlist: format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXTINF:{duration_s},\nvideo\n\
             #EXT-X-ENDLIST\n",
            duration_s.ceil()
        ),
    };
    play(path, &site)
}

fn play(path: &Path, site: &Site) -> Played {
    let page = PAGE
        .replace("RATE", &site.rate.to_string())
        .replace("MOST_PLAYS", &MOST_PLAYS.to_string())
        .replace("FIELD", &site.field.to_string())
        .replace("WANTED", &site.wanted)
        .replace("PLAYER", site.player);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("bound");
    let (report, reported) = mpsc::channel();
    let served = Served {
        page,
        playlist: site.playlist.clone(),
        file: path.to_owned(),
        report,
    };
    std::thread::spawn(move || serve(&listener, &Arc::new(served)));
    let profile = tempfile::tempdir().expect("a temporary folder");
    let _browser = Browser::start(profile.path(), &format!("http://{address}/"));
    let report: Value = reported
        .recv_timeout(Duration::from_secs(60))
        .unwrap_or_else(|_| panic!("Chromium reported nothing of {} in 60 s", path.display()));
    let number = |key: &str| report[key].as_u64().unwrap_or(0);
    Played {
        decoded: number("decoded"),
        painted: number("painted"),
        audio_bytes: number("audio_bytes"),
        duration_s: report["duration_s"].as_f64().unwrap_or(f64::NAN),
        size: (number("width"), number("height")),
        error: report["error"].as_str().map(str::to_owned),
        shown: shown(&report["shown"]),
    }
}

fn shown(pictures: &Value) -> Vec<Shown> {
    let pictures = pictures.as_array().into_iter().flatten();
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    pictures
        .map(|picture| Shown {
            time_s: picture[0].as_f64().unwrap_or(f64::NAN),
            size: (number(&picture[1]), number(&picture[2])),
            number: number(&picture[3]),
        })
        .collect()
}

/// A browser that ends with the test.
struct Browser(Child);

impl Browser {
    fn start(profile: &Path, url: &str) -> Self {
        let child = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--autoplay-policy=no-user-gesture-required",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(
            child.unwrap_or_else(|error| {
                panic!("chromium does not start ({error}); run `make setup`")
            }),
        )
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the browser may ask for.
struct Served {
    page: String,
    playlist: String,
    file: PathBuf,
    report: mpsc::Sender<Value>,
}

fn serve(listener: &TcpListener, served: &Arc<Served>) {
    for connection in listener.incoming().flatten() {
        let served = Arc::clone(served);
        std::thread::spawn(move || answer(connection, &served));
    }
}

/// Answers one request and closes the connection.
fn answer(mut connection: TcpStream, served: &Served) -> Option<()> {
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut request = String::new();
    reader.read_line(&mut request).ok()?;
    let (mut length, mut range) = (0u64, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "range" => range = value.strip_prefix("bytes=").map(str::to_owned),
            _ => (),
        }
    }
    let path = request.split(' ').nth(1)?;
    let whole = |kind, body: &[u8]| ("200 OK".to_owned(), kind, body.to_vec());
    let (status, kind, body) = match path {
        "/" => whole("text/html", served.page.as_bytes()),
        "/hls.js" => whole("text/javascript", &fs::read(hls_js()).ok()?),
        "/video.m3u8" => whole("application/vnd.apple.mpegurl", served.playlist.as_bytes()),
        "/video" => part(fs::read(&served.file).ok()?, range.as_deref()),
        "/report" => {
            let mut body = Vec::new();
            reader.take(length).read_to_end(&mut body).ok()?;
            let _ = served.report.send(serde_json::from_slice(&body).ok()?);
            ("204 No Content".to_owned(), "text/plain", Vec::new())
        }
        _ => ("404 Not Found".to_owned(), "text/plain", Vec::new()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Accept-Ranges: bytes\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).ok()?;
    connection.write_all(&body).ok()
}

/// Where `make setup` puts hls.js.
fn hls_js() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/hls/hls.js")
}

/// The whole file, or the range asked for (RFC 9110 §14.2; one range, `a-b` or `a-`).
fn part(all: Vec<u8>, range: Option<&str>) -> (String, &'static str, Vec<u8>) {
    let bounds = range.and_then(|range| {
        let (first, last) = range.split_once('-')?;
        let first: usize = first.parse().ok()?;
        let last: usize = last
            .parse()
            .unwrap_or(usize::MAX)
            .min(all.len().checked_sub(1)?);
        (first <= last).then_some((first, last))
    });
    match bounds {
        None => ("200 OK".to_owned(), "video/mp4", all),
        Some((first, last)) => {
            let size = all.len();
            let status =
                format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{size}");
            (status, "video/mp4", all[first..=last].to_vec())
        }
    }
}
