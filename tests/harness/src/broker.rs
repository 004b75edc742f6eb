//! A vhost of one's own.

use lapin::{
    Channel, Connection, ConnectionProperties, Queue, options::QueueDeclareOptions,
    types::FieldTable,
};
use support::{
    program::workspace,
    servers::{Management, ServerAddresses},
};
use uuid::Uuid;

use super::{
    interception::Interception,
    role::{ROLE_PASSWORD, Role},
};

/// The vhost of one test.
pub struct TestBroker {
    url: String,
    vhost: String,
    management: String,
    /// The users that were made for this test.
    users: Vec<String>,
}

impl TestBroker {
    /// Makes a vhost on a broker.
    pub(super) async fn create(addresses: &ServerAddresses) -> Self {
        let vhost = format!("test-{}", Uuid::new_v4().simple());
        Management::new(&addresses.management).add_vhost(&vhost).await.unwrap();
        Self {
            url: format!("{}/{vhost}", addresses.amqp),
            vhost,
            management: addresses.management.clone(),
            users: Vec::new(),
        }
    }

    /// Makes a user for each line of `deploy/rabbitmq/permissions`, with those rights. Users belong to
    /// the broker and not to the vhost, so the vhost is part of their names.
    pub(super) async fn add_users(&mut self) {
        let management = Management::new(&self.management);
        for (name, rights) in permissions() {
            let user = format!("{name}-{}", self.vhost);
            management.add_user(&user, ROLE_PASSWORD).await.unwrap();
            management.permit(&self.vhost, &user, &rights).await.unwrap();
            self.users.push(user);
        }
    }

    /// The URL for the user of a program, if users were made and it has one.
    pub fn url_as(&self, role: Role) -> Option<String> {
        let user = self.users.iter().find(|user| user.starts_with(&format!("{}-", role.name())))?;
        let mut url: reqwest::Url = self.url.parse().unwrap();
        url.set_username(user).unwrap();
        url.set_password(Some(ROLE_PASSWORD)).unwrap();
        Some(url.into())
    }

    /// The users that were made for this test.
    pub(super) fn users(&self) -> &[String] {
        &self.users
    }

    /// Gives the user of a program these rights, and no others: patterns for what it may configure,
    /// write and read.
    pub async fn permit(&self, role: Role, rights: &[String; 3]) {
        let user = self.users.iter().find(|user| user.starts_with(&format!("{}-", role.name())));
        let user = user.expect("the role has a user");
        Management::new(&self.management).permit(&self.vhost, user, rights).await.unwrap();
    }

    /// Limits the length of a queue, as an operator does.
    pub async fn limit_queue(&self, queue: &str, messages: u32) {
        Management::new(&self.management).limit(&self.vhost, queue, messages).await.unwrap();
    }

    /// The URL of the vhost, with all rights.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the broker's management API, with all rights.
    pub fn management_url(&self) -> &str {
        &self.management
    }

    /// The name of the vhost.
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// A channel on a connection of its own, for looking into queues and for publishing what the
    /// programs never would.
    pub async fn channel(&self) -> Channel {
        open_channel(&self.url).await
    }

    /// A channel under the rights of a program, where users were made.
    pub async fn channel_as(&self, role: Role) -> Channel {
        open_channel(&self.url_as(role).expect("the role has a user")).await
    }

    /// Takes the messages of a queue before any worker does.
    pub async fn intercept(&self, queue: &str) -> Interception {
        Interception::of(self.channel().await, queue).await
    }

    /// How many messages of a queue wait to be delivered: those that a consumer holds do not count.
    /// None when there is no such queue.
    pub async fn queue_depth(&self, queue: &str) -> Option<u32> {
        Some(self.queue(queue).await?.message_count())
    }

    /// How many consumers a queue has. None when there is no such queue.
    pub async fn queue_consumers(&self, queue: &str) -> Option<u32> {
        Some(self.queue(queue).await?.consumer_count())
    }

    async fn queue(&self, name: &str) -> Option<Queue> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        // A failed passive declaration closes its channel, so every question has its own.
        let channel = self.channel().await;
        channel.queue_declare(name.into(), options, FieldTable::default()).await.ok()
    }
}

async fn open_channel(url: &str) -> Channel {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    connection.create_channel().await.unwrap()
}

/// The users of `deploy/rabbitmq/permissions` with what each may configure, write and read.
pub fn permissions() -> Vec<(String, [String; 3])> {
    let text = std::fs::read_to_string(workspace().join("deploy/rabbitmq/permissions")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [user, configure, write, read] = words[..] else { panic!("not four: {line}") };
            (user.to_owned(), [configure, write, read].map(str::to_owned))
        })
        .collect()
}
