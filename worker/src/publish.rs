//! Publishing that ends with a confirm, or when there is no more use in it.

use std::time::Duration;

use queue::{Message, Publisher};

/// Between tries while RabbitMQ takes nothing.
const PAUSE: Duration = Duration::from_millis(200);

/// Publishes until the message is confirmed; false where it is not, and `is_of_use` no longer holds.
pub(crate) async fn publish_while(
    publisher: &Publisher,
    message: Message,
    is_of_use: impl Fn() -> bool,
) -> bool {
    loop {
        match publisher.publish(message.clone()).await {
            Ok(()) => return true,
            Err(error) if is_of_use() => tracing::debug!(%error, "a message waits to be published"),
            Err(_) => return false,
        }
        tokio::time::sleep(PAUSE).await;
    }
}
