//! The servers that all other tests stand on.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use harness::eventually;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use support::{
    program::{binary, build_binaries},
    servers::{DataFolder, PrivateServers, StopMode},
};
use tokio_postgres::NoTls;

/// What was durable is there after an orderly end, a crash and a `kill -9`, on the same ports.
#[tokio::test]
async fn data_and_ports_survive_every_kind_of_end() {
    let place = DataFolder::temporary().unwrap();
    let home = place.join("kept");
    let servers = PrivateServers::start(DataFolder::persistent(&home).unwrap()).await.unwrap();
    let addresses = servers.addresses();
    query(&addresses.postgres, "CREATE TABLE kept (number integer)").await.unwrap();
    query(&addresses.postgres, "INSERT INTO kept VALUES (1)").await.unwrap();
    publish(&addresses.amqp).await.unwrap();
    servers.rabbitmq.write_down_queues().await.unwrap();

    let refused = DataFolder::persistent(&home).err().unwrap().to_string();
    assert!(refused.contains("is used by a running process"), "{refused}");

    servers.postgres.stop(StopMode::Immediate).await;
    query(&addresses.postgres, "SELECT 1").await.unwrap_err();
    servers.postgres.start_again().await.unwrap();
    servers.postgres.kill();
    servers.rabbitmq.kill();
    assert!(publish(&addresses.amqp).await.is_err());
    tokio::try_join!(servers.postgres.start_again(), servers.rabbitmq.start_again()).unwrap();
    assert_eq!(query(&addresses.postgres, "SELECT number FROM kept").await.unwrap(), ["1"]);
    until_one_message(&addresses.amqp).await;
    drop(servers);

    let servers = PrivateServers::start(DataFolder::persistent(&home).unwrap()).await.unwrap();
    assert_eq!(servers.addresses().postgres, addresses.postgres);
    assert_eq!(servers.addresses().amqp, addresses.amqp);
    assert_eq!(query(&addresses.postgres, "SELECT number FROM kept").await.unwrap(), ["1"]);
    until_one_message(&addresses.amqp).await;
    assert_eq!(servers.rabbitmq.control(&["list_vhosts"]).await.unwrap().trim(), "name\n/");

    let limit = Duration::from_millis(300);
    servers.postgres.freeze();
    tokio::time::timeout(limit, query(&addresses.postgres, "SELECT 1")).await.unwrap_err();
    servers.postgres.thaw();
    query(&addresses.postgres, "SELECT 1").await.unwrap();
    servers.rabbitmq.freeze();
    tokio::time::timeout(limit, publish(&addresses.amqp)).await.unwrap_err();
    servers.rabbitmq.thaw();
    publish(&addresses.amqp).await.unwrap();
}

/// A `kill -9` of the program that started them leaves neither a process nor a file, even when
/// everything was frozen; a second pair beside the first does not mind.
#[tokio::test]
async fn nothing_outlives_a_killed_parent() {
    tokio::task::spawn_blocking(build_binaries).await.unwrap().unwrap();
    let neighbour = PrivateServers::start_temporary().await.unwrap();
    let place = DataFolder::temporary().unwrap();
    let marker = place.join("environment");
    let mut parent = Command::new(binary("private-servers").unwrap())
        .args(["sh", "-c", "env > $MARKER.new && mv $MARKER.new $MARKER && exec sleep 1000"])
        .env("MARKER", &marker)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the command runs", Duration::from_mins(1), async || marker.exists()).await;
    let everyone = descendants(parent.id());
    let folder = data_folder(&everyone);
    // The command, the guardian, epmd, the broker and the database with five processes of its own.
    assert!(everyone.len() >= 9, "{everyone:?}");
    let database = everyone.iter().filter(|pid| name(**pid).starts_with("postgres"));
    for pid in database {
        kill(Pid::from_raw(*pid), Signal::SIGSTOP).unwrap();
    }

    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("all processes are gone", Duration::from_secs(20), async || {
        everyone.iter().all(|pid| name(*pid).is_empty())
    })
    .await;
    eventually("the folder is gone", Duration::from_secs(5), async || !folder.exists()).await;
    query(&neighbour.addresses().postgres, "SELECT 1").await.unwrap();
    publish(&neighbour.addresses().amqp).await.unwrap();
}

async fn query(url: &str, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let rows = client.simple_query(sql).await?;
    Ok(rows
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect())
}

async fn publish(url: &str) -> lapin::Result<()> {
    let connection =
        Connection::connect(&format!("{url}/%2f"), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    declare(&channel).await?;
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), "kept".into(), options, b"kept", properties).await?.await?;
    connection.close(200, "done".into()).await
}

/// A queue that is still electing its leader answers 0.
async fn until_one_message(url: &str) {
    let url = format!("{url}/%2f");
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    eventually("one message is queued", Duration::from_secs(20), async || {
        match declare(&channel).await {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

async fn declare(channel: &lapin::Channel) -> lapin::Result<u32> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    Ok(channel.queue_declare("kept".into(), options, arguments).await?.message_count())
}

fn descendants(root: u32) -> Vec<i32> {
    let pairs: Vec<(i32, i32)> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![root.cast_signed()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(pairs.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// The name of a running process; empty when it has ended.
fn name(pid: i32) -> String {
    let name_and_state = stat(pid).filter(|(_, state)| !state.starts_with('Z'));
    name_and_state.map_or_else(String::new, |(name, _)| name)
}

fn parent(pid: i32) -> Option<i32> {
    stat(pid)?.1.split(' ').nth(1)?.parse().ok()
}

/// The name of a process, and the fields behind it: state, parent, …
fn stat(pid: i32) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, fields) = stat.split_once('(')?.1.rsplit_once(") ")?;
    Some((name.to_owned(), fields.to_owned()))
}

fn data_folder(pids: &[i32]) -> PathBuf {
    pids.iter()
        .filter(|pid| name(**pid) == "postgres")
        .filter_map(|pid| std::fs::read_link(format!("/proc/{pid}/cwd")).ok())
        .find_map(|data| data.parent().and_then(Path::parent).map(Path::to_owned))
        .expect("the database's working directory is two below the folder")
}
