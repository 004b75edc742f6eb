//! `faithctl probe`, as health checks and scripts use it.

use std::time::Duration;

use harness::TestSystem;

use super::assert_failed;

#[tokio::test]
async fn it_says_whether_a_program_is_ready_and_why_not() {
    let system = TestSystem::builder().workers(0).spawn().await;
    let address = system.admin_url("gateway", 0).replace("http://", "");
    assert_eq!(system.faithctl(&["probe", &address]).await.success(), "ready\n");

    system.gateway(0).terminate(Duration::from_secs(30)).await.unwrap();
    let gone = system.faithctl(&["probe", &address]).await;
    assert_failed(&gone, 1, &format!("{address} is not ready"));
    system.gateway(0).set_variable("AMQP_URL", "amqp://127.0.0.1:9");
    system.gateway(0).start().unwrap();
    // It listens at once; the broker that it cannot reach keeps it from being ready.
    let mut said = String::new();
    for _ in 0..20 {
        let probed = system.faithctl(&["probe", &address, "--wait", "1s"]).await;
        assert_eq!(probed.code, Some(1), "{probed:?}");
        said = probed.stderr;
        if said.contains("cannot connect to RabbitMQ") {
            return;
        }
    }
    panic!("{said}");
}
