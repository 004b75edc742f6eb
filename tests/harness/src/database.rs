//! A database of one's own.

use serde_json::Value;
use tokio_postgres::{Client, NoTls, types::ToSql};
use uuid::Uuid;

use super::{
    role::{ROLE_PASSWORD, Role},
    session::{connect, in_database},
    template,
};

/// The database of one test, with the product's tables and roles in it.
pub struct TestDatabase {
    /// The superuser's URL of the server's database `postgres`.
    server: String,
    name: String,
    client: Client,
}

impl TestDatabase {
    /// Makes a database on a server.
    pub(super) async fn create(server: &str) -> Self {
        let template = template::name(server).await;
        let name = format!("test_{}", Uuid::new_v4().simple());
        connect(server)
            .await
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .await
            .unwrap();
        let client = connect(&in_database(server, &name)).await;
        Self { server: server.to_owned(), name, client }
    }

    /// The superuser's session, for looking at what the programs did. It ends with the server:
    /// after a restart see [`TestDatabase::connect`].
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The superuser's URL.
    pub fn url(&self) -> String {
        in_database(&self.server, &self.name)
    }

    /// The URL for the role of a program.
    pub fn url_as(&self, role: Role) -> String {
        let mut url: reqwest::Url = self.url().parse().unwrap();
        url.set_username(role.name()).unwrap();
        url.set_password(Some(ROLE_PASSWORD)).unwrap();
        url.into()
    }

    /// A new session of the superuser.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }

    /// A new session under the role of a program.
    pub async fn connect_as(&self, role: Role) -> Client {
        connect(&self.url_as(role)).await
    }

    /// The rows of a query, each as a JSON object keyed by column.
    pub async fn rows(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Vec<Value> {
        let query = format!("SELECT to_jsonb(row) FROM ({query}) row");
        let rows = self.client.query(&query, parameters).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Deletes the database with all sessions in it.
    pub(super) async fn delete(server: &str, name: &str) -> Result<(), tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
    }

    /// What [`TestDatabase::delete`] needs.
    pub(super) fn server_and_name(&self) -> (String, String) {
        (self.server.clone(), self.name.clone())
    }
}
