// SPDX-License-Identifier: MPL-2.0
//! Serves a clip (again and again) or a live picture by RTSP until killed, and prints its address.
//!
//! `camera [FILE] [--port N] [--ahead SECONDS]`

use tests::camera::{Camera, Media};

fn main() {
    let mut media = Media::live();
    let (mut port, mut ahead_s) = (0u16, 0.0f64);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--port" => port = value().parse().expect("--port wants a number"),
            "--ahead" => ahead_s = value().parse().expect("--ahead wants seconds"),
            file => media = Media::clip(file).repeated(),
        }
    }
    let camera = Camera::start_on(media.clock_ahead_ns((ahead_s * 1e9) as i64), port);
    println!("{}", camera.url);
    loop {
        std::thread::park();
    }
}
