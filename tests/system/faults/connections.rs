//! Connections that break, hang and deceive, between any two that talk, under load: each program finds
//! out by itself, nothing that was accepted is lost, and no sender waits.

use std::time::Duration;

use core_sim::WebhookBody;
use harness::{
    proxy::{End, Mode, Proxy},
    {TestSystem, eventually},
};

use crate::worker::{
    campus_under_test::{CampusUnderTest, SOON},
    load::Load,
    queue::assert_queues_are_empty,
};

/// The deadline of an answer (interface §2).
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
/// The length of a fault itself, no wait for anything.
const LASTS: Duration = Duration::from_secs(8);
/// A connection that deceives is given up after 20 s (RabbitMQ's heartbeat) or 35 s (Postgres).
const FOUND_WITHIN: Duration = Duration::from_secs(80);
const LATENCY: Duration = Duration::from_millis(100);
const DRAIN: Duration = Duration::from_secs(25);

/// Who talks with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    GatewayToRabbitmq,
    GatewayToPostgres,
    WorkerToRabbitmq,
    WorkerToPostgres,
    WorkerToCore,
}

/// What is wrong with their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// One end has forgotten them, and the other is not told; then the other way round.
    HalfOpen,
    /// Everything is taken and thrown away.
    BlackHole,
    /// Everything is late.
    Slow,
    /// They break, three times.
    Reset,
}

impl Way {
    fn proxy(self, system: &TestSystem) -> &Proxy {
        let proxies = system.proxies();
        match self {
            Self::GatewayToRabbitmq => &proxies.gateway_to_rabbitmq,
            Self::GatewayToPostgres => &proxies.gateway_to_postgres,
            Self::WorkerToRabbitmq => &proxies.worker_to_rabbitmq,
            Self::WorkerToPostgres => &proxies.worker_to_postgres,
            Self::WorkerToCore => &proxies.to_core,
        }
    }

    async fn bears(self, trouble: Trouble) {
        let system = TestSystem::builder()
            .proxied()
            // What an outage of the core delays comes back while the test lasts.
            .variable("RETRY_DELAYS", "300ms,1s")
            .spawn()
            .await;
        let load = Load::on(CampusUnderTest::first(&system), 40);
        let client = system.database.client();
        let troubled = async {
            until_done(&load, &system, 20).await;
            trouble.strike(self.proxy(&system), &load, &system).await;
        };
        let events = load.run_during(troubled).await;
        // What RabbitMQ holds for a client that is gone comes back when it has found that out.
        eventually("every event has come to its end", FOUND_WITHIN, async || {
            Load::has_arrived(client, &events).await
        })
        .await;

        assert!(load.slowest() < ANSWER_WITHIN, "an answer took {:?}", load.slowest());
        if self != Self::GatewayToRabbitmq {
            assert_eq!(load.refused(), 0, "intake goes on");
        }
        if self == Self::GatewayToPostgres {
            hears_of_changes(&system).await;
        }
        for program in ["gateway", "worker"] {
            system.until_ready(program, 0, SOON).await;
        }
        assert_eq!(system.worker(0).terminate(DRAIN).await.unwrap().code(), Some(0));
        if self == Self::WorkerToCore {
            load.assert_done_at_last(client, &events).await;
        } else {
            load.assert_done(client, &events).await;
        }
        assert_queues_are_empty(&system).await;
    }
}

impl Trouble {
    /// Makes the trouble, and waits until it is overcome.
    async fn strike(self, proxy: &Proxy, load: &Load<'_>, system: &TestSystem) {
        match self {
            Self::HalfOpen => {
                for end in [End::Server, End::Client] {
                    proxy.lose(end);
                    until_done(load, system, 5).await;
                }
            }
            Self::Reset => {
                for _ in 0..3 {
                    proxy.reset();
                    until_done(load, system, 5).await;
                }
            }
            Self::BlackHole | Self::Slow => {
                let slow = self == Self::Slow;
                proxy.set(if slow { Mode::Latency(LATENCY) } else { Mode::BlackHole });
                tokio::time::sleep(LASTS).await;
                if slow {
                    until_done(load, system, 5).await;
                }
                proxy.set(Mode::Forward);
                until_done(load, system, 5).await;
            }
        }
    }
}

/// Waits until so many more have come to their end than are accepted now.
async fn until_done(load: &Load<'_>, system: &TestSystem, more: i64) {
    let moment = i64::try_from(load.accepted()).unwrap() + more;
    eventually(&format!("{moment} events are done"), FOUND_WITHIN, async || {
        let ended = Load::ended(system.database.client()).await;
        if ended >= moment { Ok(()) } else { Err(ended.to_string()) }
    })
    .await;
}

/// A gateway whose connection to Postgres was in trouble is told of changes nonetheless.
async fn hears_of_changes(system: &TestSystem) {
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    let test = WebhookBody::test(&system.campus.core_church_id);
    eventually("the campus is disabled", FOUND_WITHIN, async || {
        let answer = system.post(&system.campus, &test).await;
        assert!(answer.took < ANSWER_WITHIN, "{answer:?}");
        answer.status == 403
    })
    .await;
}

#[tokio::test]
async fn a_gateway_bears_half_open_connections_to_rabbitmq() {
    Way::GatewayToRabbitmq.bears(Trouble::HalfOpen).await;
}

#[tokio::test]
async fn a_gateway_bears_black_holed_connections_to_rabbitmq() {
    Way::GatewayToRabbitmq.bears(Trouble::BlackHole).await;
}

#[tokio::test]
async fn a_gateway_bears_slow_connections_to_rabbitmq() {
    Way::GatewayToRabbitmq.bears(Trouble::Slow).await;
}

#[tokio::test]
async fn a_gateway_bears_reset_connections_to_rabbitmq() {
    Way::GatewayToRabbitmq.bears(Trouble::Reset).await;
}

#[tokio::test]
async fn a_gateway_bears_half_open_connections_to_postgres() {
    Way::GatewayToPostgres.bears(Trouble::HalfOpen).await;
}

#[tokio::test]
async fn a_gateway_bears_black_holed_connections_to_postgres() {
    Way::GatewayToPostgres.bears(Trouble::BlackHole).await;
}

#[tokio::test]
async fn a_gateway_bears_slow_connections_to_postgres() {
    Way::GatewayToPostgres.bears(Trouble::Slow).await;
}

#[tokio::test]
async fn a_gateway_bears_reset_connections_to_postgres() {
    Way::GatewayToPostgres.bears(Trouble::Reset).await;
}

#[tokio::test]
async fn a_worker_bears_half_open_connections_to_rabbitmq() {
    Way::WorkerToRabbitmq.bears(Trouble::HalfOpen).await;
}

#[tokio::test]
async fn a_worker_bears_black_holed_connections_to_rabbitmq() {
    Way::WorkerToRabbitmq.bears(Trouble::BlackHole).await;
}

#[tokio::test]
async fn a_worker_bears_slow_connections_to_rabbitmq() {
    Way::WorkerToRabbitmq.bears(Trouble::Slow).await;
}

#[tokio::test]
async fn a_worker_bears_reset_connections_to_rabbitmq() {
    Way::WorkerToRabbitmq.bears(Trouble::Reset).await;
}

#[tokio::test]
async fn a_worker_bears_half_open_connections_to_postgres() {
    Way::WorkerToPostgres.bears(Trouble::HalfOpen).await;
}

#[tokio::test]
async fn a_worker_bears_black_holed_connections_to_postgres() {
    Way::WorkerToPostgres.bears(Trouble::BlackHole).await;
}

#[tokio::test]
async fn a_worker_bears_slow_connections_to_postgres() {
    Way::WorkerToPostgres.bears(Trouble::Slow).await;
}

#[tokio::test]
async fn a_worker_bears_reset_connections_to_postgres() {
    Way::WorkerToPostgres.bears(Trouble::Reset).await;
}

#[tokio::test]
async fn a_worker_bears_half_open_connections_to_the_core() {
    Way::WorkerToCore.bears(Trouble::HalfOpen).await;
}

#[tokio::test]
async fn a_worker_bears_black_holed_connections_to_the_core() {
    Way::WorkerToCore.bears(Trouble::BlackHole).await;
}

#[tokio::test]
async fn a_worker_bears_slow_connections_to_the_core() {
    Way::WorkerToCore.bears(Trouble::Slow).await;
}

#[tokio::test]
async fn a_worker_bears_reset_connections_to_the_core() {
    Way::WorkerToCore.bears(Trouble::Reset).await;
}
