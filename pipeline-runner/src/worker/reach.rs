// SPDX-License-Identifier: MPL-2.0
//! Why a camera cannot be reached. GStreamer's RTSP client says "Failed to connect. (Generic error)"
//! of a wrong name, a closed port and a camera that is switched off alike; so once it has failed,
//! the same is tried here, and what the system says of it is told.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gst::prelude::*;
use ureq::http::Uri;

/// How long trying may take; the next attempt waits for it.
const LIMIT: Duration = Duration::from_secs(3);
/// Of RTSP (RFC 2326, 3.2).
const RTSP_PORT: u16 = 554;
/// Of RTSP over TLS (RFC 7826, 22.9).
const RTSPS_PORT: u16 = 322;

/// What keeps the element that posted `message` from reaching its server; nothing where the server
/// can be reached, or the message is of something else.
pub fn obstacle(message: &gst::MessageRef) -> Option<String> {
    let gst::MessageView::Error(error) = message.view() else {
        return None;
    };
    if !error.debug()?.contains("Failed to connect") {
        return None;
    }
    let element = message.src()?;
    element.find_property("location")?;
    let location = element.property::<Option<String>>("location")?;
    let (host, port) = server(&location)?;
    obstacle_to(&host, port)
}

/// The host and the port of an RTSP address.
fn server(location: &str) -> Option<(String, u16)> {
    let uri: Uri = location.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        scheme if scheme.starts_with("rtsps") => RTSPS_PORT,
        scheme if scheme.starts_with("rtsp") => RTSP_PORT,
        _ => return None,
    };
    let host = uri.host()?.trim_matches(['[', ']']);
    Some((host.to_owned(), uri.port_u16().unwrap_or(usual)))
}

fn obstacle_to(host: &str, port: u16) -> Option<String> {
    let (tell, told) = mpsc::channel();
    let name = host.to_owned();
    // A name may take the system's resolver longer than we are willing to wait.
    let look_up = move || {
        let _ = tell.send((name.as_str(), port).to_socket_addrs());
    };
    thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(look_up)
        .ok()?;
    let addresses = match told.recv_timeout(LIMIT) {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(_)) => return Some(format!("there is no host `{host}`")),
        Err(_) => return Some(format!("looking up the host `{host}` takes too long")),
    };
    let mut why = format!("the host `{host}` has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(_) => return None,
            Err(error) => why = said(host, port, &error),
        }
    }
    Some(why)
}

fn said(host: &str, port: u16, error: &std::io::Error) -> String {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => format!("`{host}` is there, and refuses port {port}"),
        Kind::TimedOut => format!("`{host}` does not answer on port {port}"),
        Kind::HostUnreachable | Kind::NetworkUnreachable => {
            format!("there is no way to `{host}`: {error}")
        }
        _ => format!("`{host}`, port {port}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_by_its_scheme_and_port() {
        gst::init().expect("GStreamer starts");
        let server = |uri| server(uri).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(server("rtsp://cam/x").as_deref(), Some("cam 554"));
        assert_eq!(server("rtsps://u:p@cam/x").as_deref(), Some("cam 322"));
        assert_eq!(server("rtspt://[::1]:8554/x").as_deref(), Some("::1 8554"));
        assert_eq!(server("/dev/video0"), None);
    }

    #[test]
    fn a_closed_port_a_wrong_name_and_an_open_port_are_told_apart() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has one").port();
        assert_eq!(obstacle_to("127.0.0.1", port), None);
        drop(listener);
        let refused = obstacle_to("127.0.0.1", port).expect("nobody listens");
        assert_eq!(
            refused,
            format!("`127.0.0.1` is there, and refuses port {port}")
        );
        let unknown = obstacle_to("camera.invalid", 554).expect("RFC 6761, 6.4");
        assert!(unknown.contains("camera.invalid"), "{unknown}");
    }
}
