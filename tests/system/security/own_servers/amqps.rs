//! `amqps://` with a certificate authority of one's own.

use harness::Role;

use super::{doctor, encrypted_system, reasons, stranger};

#[tokio::test]
async fn the_brokers_certificate_is_checked_for_its_authority_and_its_name() {
    let system = encrypted_system().await;
    let broker = &system.servers().rabbitmq;
    let connections = broker.control(&["list_connections", "user", "ssl", "name"]).await.unwrap();
    let encrypted = connections.lines().filter(|line| line.contains("true")).count();
    assert!(encrypted >= 2, "gateway and worker speak TLS: {connections}");

    let ask = async |name: &str, value: &str| doctor(&system, "RabbitMQ", name, value).await;
    let url = system.variables(Role::Admin)["AMQP_URL"].clone();
    assert_eq!(ask("AMQP_URL", &url).await, "ok reachable");
    let stranger = stranger(&system);
    let stranger = stranger.file().to_str().unwrap();
    let said = ask("AMQP_CA_FILE", stranger).await;
    assert!(said.contains("certificate") && said.contains("UnknownIssuer"), "{said}");
    // Without an authority of our own the machine's are asked, who do not know the broker's.
    let said = ask("AMQP_CA_FILE", "").await;
    assert!(said.contains("certificate") && said.contains("UnknownIssuer"), "{said}");
    let said = ask("AMQP_URL", &url.replace("@localhost:", "@127.0.0.1:")).await;
    assert!(said.contains("certificate not valid for name"), "{said}");
    // A port that speaks plain AMQP.
    let plain = format!("{}/x", broker.url()).replace("amqp://", "amqps://");
    let said = ask("AMQP_URL", &plain).await;
    assert!(said.starts_with("failure cannot connect to RabbitMQ"), "{said}");

    let said = reasons(&system, "AMQP_CA_FILE", stranger).await;
    assert!(said.contains("UnknownIssuer"), "{said}");
}
