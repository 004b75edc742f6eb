//! The files that pages need, within the program. Their address has their hash, so that they may be kept for ever.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

use crate::failure::Failure;

const FILES: [(&str, &str, &[u8]); 3] = [
    ("console.css", "text/css; charset=utf-8", include_bytes!("../assets/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_bytes!("../assets/console.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../assets/icon.svg")),
];

static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for (_, _, bytes) in FILES {
        digest.update(bytes);
    }
    hex::encode(&digest.finalize()[..8])
});

/// Where the files of this version are.
pub(crate) fn folder() -> String {
    format!("/assets/{}", *HASH)
}

/// `GET /assets/{hash}/{file}`
#[allow(clippy::unused_async, reason = "a handler is asynchronous")]
pub(crate) async fn show(Path((hash, name)): Path<(String, String)>) -> Result<Response, Failure> {
    let file = FILES.iter().find(|(file, ..)| *file == name).filter(|_| hash == *HASH);
    let (_, kind, bytes) = file.ok_or(Failure::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, *bytes).into_response())
}
