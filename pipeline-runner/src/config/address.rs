// SPDX-License-Identifier: MPL-2.0
//! What is wrong with the address in a URI (RFC 3986, 2.1 and 3.2), in words that hold no secret.

use std::net::Ipv6Addr;

/// What is wrong, and what would be right; nothing if the address is one.
pub(super) fn complaint(uri: &str) -> Option<(&'static str, &'static str)> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.matches('@').count() > 1 {
        return Some((
            "there is more than one `@` before the host",
            "in a user's name or password write `@` as `%40`, or give them apart as `user` and `password`",
        ));
    }
    if !is_escaped(uri) {
        return Some((
            "a `%` is not followed by two hexadecimal digits",
            "write `%` itself as `%25`",
        ));
    }
    let address = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match address.strip_prefix('[') {
        Some(bracketed) => {
            let closed = bracketed.split_once(']');
            let Some((host, after)) = closed.filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())
            else {
                return Some((
                    "what stands in brackets is not an IPv6 address",
                    "such as `rtsp://[2001:db8::1]:554/stream`",
                ));
            };
            (host, after)
        }
        None if address.matches(':').count() > 1 => {
            return Some((
                "the host has several `:`",
                "an IPv6 address stands in brackets: `rtsp://[2001:db8::1]:554/stream`",
            ));
        }
        None => address
            .find(':')
            .map_or((address, ""), |at| address.split_at(at)),
    };
    if host.is_empty() {
        return None;
    }
    let number = match port.strip_prefix(':') {
        // An empty port is the scheme's own (RFC 3986, 3.2.3).
        None if port.is_empty() => return None,
        Some("") => return None,
        Some(number) => number,
        None => "",
    };
    let is_port = number.bytes().all(|digit| digit.is_ascii_digit())
        && number.parse::<u16>().is_ok_and(|port| port > 0);
    (!is_port).then_some((
        "the port is not a number from 1 to 65535",
        "it stands behind the host: `rtsp://camera.example:554/stream`; a `:` or `/` in a password is written `%3A` or `%2F`",
    ))
}

fn is_escaped(uri: &str) -> bool {
    uri.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_is_named_before_anything_connects() {
        for (uri, why) in [
            ("rtsp://cam:99999/x", "port"),
            ("rtsp://cam:0/x", "port"),
            ("rtsp://cam:+5/x", "port"),
            ("rtsp://[::1/x", "IPv6"),
            ("rtsp://[cam]/x", "IPv6"),
            ("rtsp://[::1]x/", "port"),
            ("rtsp://::1/x", ":"),
            ("rtsp://user:P@ss@host/x", "@"),
            ("rtsp://user:50%off@host/x", "%"),
        ] {
            let (message, help) = complaint(uri).unwrap_or_else(|| panic!("{uri} is wrong"));
            assert!(
                message.contains(why) && !help.is_empty(),
                "{uri}: {message}"
            );
        }
    }

    #[test]
    fn an_address_that_can_be_is_none_to_complain_of() {
        for uri in [
            "rtsp://cam",
            "rtsp://cam:554/x?a=b:c@d",
            "rtsp://cam:/x",
            "rtsp://user:P%40ss@[fe80::1]:8554/x",
            "rtsp://10.0.0.1/stream=0;user=[a];x",
            "srt://:7001",
            "file:///a:b@c@d",
        ] {
            assert_eq!(complaint(uri), None, "{uri}");
        }
    }
}
