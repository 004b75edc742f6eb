//! The addresses in `Forwarded` (RFC 7239) and in `X-Forwarded-For`, which has no standard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The `for` of each element of a `Forwarded`; none where it names no address.
pub(super) fn standard(line: &str) -> Vec<Option<IpAddr>> {
    split(line, ',')
        .into_iter()
        .filter(|element| !element.trim().is_empty())
        .map(|element| {
            split(element, ';').into_iter().find_map(forwarded_for).and_then(|text| node(&text))
        })
        .collect()
}

/// Each entry of an `X-Forwarded-For`; none where it is no address.
pub(super) fn usual(line: &str) -> Vec<Option<IpAddr>> {
    let entries = line.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(|entry| node(entry.trim_matches('"'))).collect()
}

/// Splits outside of quoted strings (RFC 9110, 5.6.4).
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|character: char| {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' && is_quoted {
            is_escaped = true;
        } else if character == '"' {
            is_quoted = !is_quoted;
        } else {
            return character == separator && !is_quoted;
        }
        false
    })
    .collect()
}

/// The value of a pair whose name is `for`.
fn forwarded_for(pair: &str) -> Option<String> {
    let (name, value) = pair.split_once('=')?;
    name.trim().eq_ignore_ascii_case("for").then(|| unquoted(value.trim()))?
}

/// A token, or what a quoted string stands for.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let inner = rest.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(text)
}

/// An address with or without a port, of IPv6 in brackets or bare.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, _port) = rest.split_once(']')?;
        return address.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse().ok().or_else(|| {
        let (address, _port) = text.split_once(':')?;
        address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<String> {
        let told = standard(line).into_iter();
        told.map(|hop| hop.map_or("none".to_owned(), |hop| hop.to_string())).collect()
    }

    #[test]
    fn the_examples_of_rfc_7239() {
        assert_eq!(read(r#"for="_gazonk""#), ["none"]);
        assert_eq!(read(r#"For="[2001:db8:cafe::17]:4711""#), ["2001:db8:cafe::17"]);
        assert_eq!(read("for=192.0.2.60;proto=http;by=203.0.113.43"), ["192.0.2.60"]);
        assert_eq!(read("for=192.0.2.43, for=198.51.100.17"), ["192.0.2.43", "198.51.100.17"]);
        assert_eq!(read(r#"for=192.0.2.43, for="[2001:db8:cafe::17]", for=unknown"#).len(), 3);
        assert_eq!(read(r#"for=192.0.2.43,for="[2001:db8::1]";by=_x,for=unknown"#)[2], "none");
    }

    #[test]
    fn quotes_and_escapes_hold_what_separates_elsewhere() {
        assert_eq!(read(r#"secret="a, for=1.1.1.1; \" ,";for=192.0.2.1"#), ["192.0.2.1"]);
        assert_eq!(read(r#"for="192.0.2.\1:80" , by=_p"#), ["192.0.2.1", "none"]);
        // A string that does not end takes all with it: nobody can be put into our proxy's place.
        assert_eq!(read(r#"for="1.1.1.1, for=192.0.2.1"#), ["none"]);
        assert_eq!(read("proto=https, ,"), ["none"]);
    }
}
