//! The servers that tests share.

use support::servers::{PrivateServers, ServerAddresses};
use tokio::sync::OnceCell;

/// The pair of this process, where none was started for the whole run. The guardian ends it.
static OF_THIS_PROCESS: OnceCell<PrivateServers> = OnceCell::const_new();

/// The servers that `deploy/test` runs for all test processes, or else a pair for this process.
pub(super) async fn shared() -> ServerAddresses {
    if let Some(addresses) = ServerAddresses::from_environment().unwrap() {
        return addresses;
    }
    OF_THIS_PROCESS
        .get_or_init(async || PrivateServers::start_temporary().await.unwrap())
        .await
        .addresses()
}
