//! `deploy/rabbitmq/users`, as an operator runs it.

use std::{fs, process::Command};

use harness::permissions;
use queue::lapin::{Connection, ConnectionProperties};
use support::servers::{DataFolder, RabbitMq};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rabbitmq/users");

#[tokio::test]
async fn the_script_makes_the_users_and_can_be_run_again() {
    let folder = DataFolder::temporary().unwrap();
    let broker = RabbitMq::start(&folder).await.unwrap();
    let passwords = folder.private_folder("passwords", None).unwrap();
    let give = |password: &str| {
        for (user, _) in permissions() {
            fs::write(passwords.join(user), format!("{password}\n")).unwrap();
        }
    };
    let run = async || {
        let mut command = Command::new(SCRIPT);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(broker.control_environment().unwrap())
            .args(["faithtracker", passwords.to_str().unwrap()]);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let connect = async |user: &str, password: &str| {
        let address = broker.url();
        let address = address.split('@').nth(1).unwrap();
        let url = format!("amqp://{user}:{password}@{address}/faithtracker");
        Connection::connect(&url, ConnectionProperties::default()).await.map(drop)
    };
    give("first");
    run().await;
    connect("faith_gateway", "first").await.unwrap();
    give("second");
    run().await;
    assert!(connect("faith_gateway", "first").await.is_err(), "the password was changed");
    for (user, [configure, write, read]) in permissions() {
        connect(&user, "second").await.unwrap();
        let listed = broker.control(&["list_user_permissions", &user]).await.unwrap();
        let row = listed.lines().find(|line| line.starts_with("faithtracker")).unwrap();
        // rabbitmqctl prints a backslash twice.
        let row = row.replace(r"\\", r"\");
        assert_eq!(row, ["faithtracker", &configure, &write, &read].join("\t"));
    }
}
