//! Bodies, read as far as they are wanted.

use reqwest::Response;

use crate::{CoreError, Operation};

/// The whole body, decompressed. It is measured as it comes, because a length that is announced may be
/// wrong, and a compressed one says nothing.
pub(crate) async fn read(
    operation: Operation,
    mut response: Response,
    limit: usize,
) -> Result<Vec<u8>, CoreError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    let mut body = Vec::with_capacity(announced.unwrap_or_default().min(limit));
    while let Some(chunk) =
        response.chunk().await.map_err(|source| CoreError::reading(operation, source))?
    {
        if body.len() + chunk.len() > limit {
            return Err(CoreError::TooLarge { operation });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
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
