//! Sessions of the superuser.

use tokio_postgres::{Client, NoTls};

/// Opens a session.
pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The same URL with another database.
pub(super) fn in_database(url: &str, database: &str) -> String {
    let mut url: reqwest::Url = url.parse().unwrap();
    url.set_path(database);
    url.into()
}
