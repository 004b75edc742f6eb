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
