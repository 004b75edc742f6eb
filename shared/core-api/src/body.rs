//! Bodies, read as far as they are wanted.

use reqwest::Response;

use crate::{Call, Charge, CoreError, clock::Clock};

/// What is believed of a length that is announced, until as much has come.
const BELIEVED: usize = 8 * 1024 * 1024;

/// The least that a body takes.
const LEAST: usize = 16 * 1024;

/// The whole body, decompressed, charged for as it comes. It is measured, because a length that is
/// announced may be wrong, and a compressed one says nothing.
pub(crate) async fn read(
    call: &Call,
    mut response: Response,
    limit: usize,
    clock: &mut Clock,
    charge: &Charge,
) -> Result<Vec<u8>, CoreError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = Vec::new();
    let first = announced.unwrap_or_default().clamp(LEAST, BELIEVED);
    clock.pause(charge.hold(first)).await;
    body.reserve_exact(first);
    loop {
        let Some(chunk) = clock
            .run(response.chunk())
            .await
            .ok_or_else(|| CoreError::slow_after(call.clone(), body.len()))?
            .map_err(|source| CoreError::reading(call.clone(), source))?
        else {
            return Ok(body);
        };
        if body.len() + chunk.len() > limit {
            return Err(CoreError::TooLarge { call: call.clone() });
        }
        if body.len() + chunk.len() > body.capacity() {
            let room = (body.len() + chunk.len()).max((2 * body.capacity()).min(limit));
            clock.pause(charge.hold(room)).await;
            body.reserve_exact(room - body.len());
        }
        body.extend_from_slice(&chunk);
    }
}

/// Whether this is nothing that an API says: empty, or a text that no JSON begins with. Proxies
/// answer so, with 200, for a core that is under maintenance. JSON that breaks off is not meant.
pub(crate) fn is_no_api(body: &[u8]) -> bool {
    match body.trim_ascii_start() {
        [] => true,
        [b'{' | b'[' | b'"' | b'-' | b'0'..=b'9', ..] => false,
        // Python writes the last two.
        other => !["null", "true", "false", "NaN", "Infinity"]
            .iter()
            .any(|word| other.starts_with(word.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::is_no_api;

    #[test]
    fn a_page_is_told_from_json_that_is_odd() {
        for page in ["", " \n", "<!DOCTYPE html><html>", "Service Unavailable", "\u{feff}<html>"] {
            assert!(is_no_api(page.as_bytes()), "{page}");
        }
        for json in ["{}", " [", "\"text\"", "5", "null", "{\"id\": \"a", "-1"] {
            assert!(!is_no_api(json.as_bytes()), "{json}");
        }
    }
}
