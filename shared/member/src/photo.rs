//! Photos that the core sends inside the member, as base64.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The largest photo that is kept, in bytes once decoded.
pub const LARGEST_PHOTO: usize = 5 * 1024 * 1024;

/// Padding is often lost on the way, and some encoders leave the last bits unset: neither changes the photo.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A photo to be kept in `member_photos`.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo {
    /// The media type that the bytes themselves show, not the one that was declared.
    pub content_type: &'static str,
    /// The picture.
    pub image: Vec<u8>,
    /// The SHA-256 of `image`: tells without reading the picture whether it changed.
    pub sha256: [u8; 32],
}

/// Why a photo that the core sent is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PhotoRefusal {
    /// The value is no string.
    #[error("the member's photo is not text")]
    NotText,
    /// The text cannot be decoded.
    #[error("the member's photo is not base64")]
    NotBase64,
    /// It would be larger than [`LARGEST_PHOTO`].
    #[error("the member's photo is larger than 5 MB")]
    TooLarge,
    /// The bytes are no picture that browsers are sure to show.
    #[error("the member's photo is neither JPEG, PNG nor WebP")]
    Unsupported,
}

impl PhotoRefusal {
    /// Whether it cannot even be told what was sent. Other than for a photo that may not be kept, one that was
    /// kept before stays.
    pub fn is_unreadable(self) -> bool {
        matches!(self, Self::NotText | Self::NotBase64)
    }
}

impl Photo {
    /// The photo of a picture's bytes.
    pub fn of(image: Vec<u8>) -> Result<Self, PhotoRefusal> {
        if image.len() > LARGEST_PHOTO {
            return Err(PhotoRefusal::TooLarge);
        }
        let content_type = content_type(&image).ok_or(PhotoRefusal::Unsupported)?;
        let sha256 = Sha256::digest(&image).into();
        Ok(Self { content_type, image, sha256 })
    }
}

/// The photo in a `photo_base64` value, a data URL or plain base64. None where there is none: null or blank.
pub fn decode(value: &Value) -> Result<Option<Photo>, PhotoRefusal> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim(),
        _ => return Err(PhotoRefusal::NotText),
    };
    let encoded = encoded_part(text)?;
    // Before anything is copied: the text may be megabytes.
    if encoded.len() / 2 > LARGEST_PHOTO {
        return Err(PhotoRefusal::TooLarge);
    }
    let image = match BASE64.decode(encoded) {
        Ok(image) => image,
        // Only what is written otherwise is written anew: it is as large as all else together.
        Err(_) => BASE64.decode(respelled(encoded)).map_err(|_| PhotoRefusal::NotBase64)?,
    };
    if image.is_empty() { Ok(None) } else { Photo::of(image).map(Some) }
}

/// Without line breaks, and in the standard alphabet.
fn respelled(encoded: &str) -> Vec<u8> {
    encoded.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0).map(standard).collect()
}

/// What follows `data:…;base64,`, or the whole text where it is no data URL (RFC 2397).
fn encoded_part(text: &str) -> Result<&str, PhotoRefusal> {
    let is_data_url = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if !is_data_url {
        return Ok(text);
    }
    let (header, data) = text.split_once(',').ok_or(PhotoRefusal::NotBase64)?;
    let is_base64 = header.len() >= 7
        && header.get(header.len() - 7..).is_some_and(|end| end.eq_ignore_ascii_case(";base64"));
    if is_base64 { Ok(data) } else { Err(PhotoRefusal::NotBase64) }
}

/// The URL-safe alphabet's two letters as the standard one writes them.
fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

fn content_type(image: &[u8]) -> Option<&'static str> {
    if image.starts_with(&[0xff, 0xd8, 0xff]) {
        Some("image/jpeg")
    } else if image.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if image.starts_with(b"RIFF") && image.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

/// Says what it is, never what it shows.
impl fmt::Debug for Photo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Photo({}, {} bytes)", self.content_type, self.image.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use base64::{
        Engine,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };
    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};

    use super::{LARGEST_PHOTO, Photo, PhotoRefusal, decode};

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0xfb, 0xef, 0xff, 1];

    fn sized(length: usize) -> Value {
        let mut image = JPEG.to_vec();
        image.resize(length, 7);
        json!(STANDARD.encode(image))
    }

    #[test]
    fn plain_and_data_url_are_the_same_photo() {
        let plain = STANDARD.encode(JPEG);
        let forms = [
            plain.clone(),
            plain.trim_end_matches('=').to_owned(),
            format!(" {}\r\n{} ", &plain[..4], &plain[4..]),
            URL_SAFE_NO_PAD.encode(JPEG),
            format!("data:image/jpeg;base64,{plain}"),
            format!("DATA:;charset=x;BASE64,{plain}"),
            // What the bytes are counts, not what somebody called them.
            format!("data:image/png;base64,{plain}"),
        ];
        for form in forms {
            let photo = decode(&json!(form)).unwrap().unwrap();
            assert_eq!(
                (photo.content_type, photo.image.as_slice()),
                ("image/jpeg", JPEG),
                "{form}"
            );
            assert_eq!(photo.sha256, <[u8; 32]>::from(Sha256::digest(JPEG)));
        }
    }

    #[test]
    fn types_are_told_by_their_first_bytes() {
        let of = |image: &[u8]| {
            decode(&json!(STANDARD.encode(image))).map(|photo| photo.unwrap().content_type)
        };
        assert_eq!(of(b"\x89PNG\r\n\x1a\n..."), Ok("image/png"));
        assert_eq!(of(b"RIFF\x01\x02\x03\x04WEBPVP8 "), Ok("image/webp"));
        assert_eq!(of(b"RIFF\x01\x02\x03\x04WAVEfmt "), Err(PhotoRefusal::Unsupported));
        assert_eq!(of(b"RIFX\x01\x02\x03\x04WEBPVP8 "), Err(PhotoRefusal::Unsupported));
        assert_eq!(of(b"GIF89a"), Err(PhotoRefusal::Unsupported));
        assert_eq!(of(b"<svg/>"), Err(PhotoRefusal::Unsupported));
    }

    #[test]
    fn nothing_is_no_photo() {
        for value in [json!(null), json!(""), json!(" \n"), json!("data:image/png;base64,")] {
            assert_eq!(decode(&value), Ok(None));
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for value in [
            json!("%%%"),
            json!("data:image/png"),
            json!("data:image/png,abc"),
            json!("é"),
            json!("dataé:,"),
        ] {
            assert_eq!(decode(&value), Err(PhotoRefusal::NotBase64));
        }
        assert_eq!(decode(&json!(5)), Err(PhotoRefusal::NotText));
    }

    #[test]
    fn a_picture_of_five_megabytes_is_kept_and_a_larger_one_is_not() {
        let mut image = JPEG.to_vec();
        image.resize(LARGEST_PHOTO, 7);
        assert_eq!(Photo::of(image.clone()).unwrap().image.len(), 5_242_880);
        image.push(7);
        assert_eq!(Photo::of(image), Err(PhotoRefusal::TooLarge));
        // Before anything is decoded, twice as much text is too much.
        assert_eq!(decode(&json!("%".repeat(2 * LARGEST_PHOTO + 2))), Err(PhotoRefusal::TooLarge));
        assert_eq!(decode(&json!("%".repeat(2 * LARGEST_PHOTO))), Err(PhotoRefusal::NotBase64));
        let unreadable = [PhotoRefusal::NotText, PhotoRefusal::NotBase64];
        assert!(unreadable.into_iter().all(PhotoRefusal::is_unreadable));
        let readable = [PhotoRefusal::TooLarge, PhotoRefusal::Unsupported];
        assert!(!readable.into_iter().any(PhotoRefusal::is_unreadable));
    }

    #[test]
    fn five_megabytes_are_the_limit() {
        assert!(decode(&sized(LARGEST_PHOTO)).is_ok());
        assert_eq!(decode(&sized(LARGEST_PHOTO + 1)), Err(PhotoRefusal::TooLarge));
        assert_eq!(decode(&sized(3 * LARGEST_PHOTO)), Err(PhotoRefusal::TooLarge));
    }
}
