//! RabbitMQ: reachable, its queues as the programs declare them, and somebody there to consume.

use std::time::Duration;

use database::Client;
use queue::{
    Broker, DEAD, QueueError, REJECTIONS, RetryQueue, Topology, UNROUTED, WORK, declare,
    declare_rejections, declare_retries, look_for_queues,
};
use retry::RetrySchedule;
use status::{Instances, QueueState};

use super::check::Report;
use crate::{environment::Environment, status::queues};

const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Half of what the queue of refused deliveries holds.
const REJECTIONS_MANY: u32 = 5_000;

/// `client` tells which delay queues the workers use; none where Postgres cannot be used.
pub(super) async fn check(report: &mut Report, environment: &Environment, client: Option<&Client>) {
    let settings = environment.settings();
    // Bad settings have been reported.
    let (Ok(broker), Ok(schedule), Ok(topology)) = (
        environment.broker(),
        RetrySchedule::from_settings(settings),
        Topology::from_settings(settings),
    ) else {
        return;
    };
    let instances = match client {
        Some(client) => Instances::load(client).await.ok(),
        None => None,
    };
    let retry_queues = queues::retry_queues(instances.as_ref(), &schedule.delays());
    let states = match queues::ask(&broker, &retry_queues).await {
        Ok(states) => states,
        Err(error) => {
            return report.fail("RabbitMQ", error.to_string(), advice(&error));
        }
    };
    report.ok("RabbitMQ", "reachable");
    if declared(report, &states) {
        arguments(report, &broker, topology, &states).await;
    }
    consumers(report, &states);
    lengths(report, &states, topology.work_max_length);
}

/// What to do about a connection that is not to be had.
fn advice(error: &QueueError) -> &'static str {
    if error.is_login_refused() {
        "correct user and password in AMQP_URL; deploy/rabbitmq/users sets the users' passwords"
    } else if error.is_vhost_refused() {
        "correct the vhost in AMQP_URL (a / in it is %2f); deploy/rabbitmq/users makes it, and gives rights to it"
    } else {
        "start it, or correct AMQP_URL: address, port, amqps and AMQP_CA_FILE"
    }
}

/// Whether every queue is there.
fn declared(report: &mut Report, states: &[QueueState]) -> bool {
    let missing: Vec<&str> =
        states.iter().filter(|state| state.is_missing()).map(|state| state.name.as_str()).collect();
    if missing.is_empty() {
        return true;
    }
    let detail = format!("not declared yet: {}", missing.join(", "));
    let advice = "start a gateway and a worker with these settings: they declare the queues";
    if missing.contains(&WORK) {
        report.fail("queues", detail, advice);
    } else {
        report.warn("queues", detail, advice);
    }
    false
}

/// Declaring again what is there changes nothing; other arguments are refused, and name the queue.
async fn arguments(
    report: &mut Report,
    broker: &Broker,
    topology: Topology,
    states: &[QueueState],
) {
    // Only those that are there: a check makes no queue.
    let retries: Vec<RetryQueue> =
        states.iter().filter_map(|state| RetryQueue::of_name(&state.name)).collect();
    let declared = tokio::time::timeout(TIME_LIMIT, async {
        let connection = broker.connect().await?;
        declare(&connection, topology).await?;
        declare_retries(&connection, &retries).await?;
        declare_rejections(&connection).await?;
        connection.close(200, "done".into()).await.ok();
        Ok::<_, QueueError>(())
    });
    match declared.await {
        Ok(Ok(())) => report.ok("queues", "as the programs declare them"),
        Ok(Err(error)) if error.is_precondition_failed() => report.fail(
            "queues",
            error.to_string(),
            "another program made a queue of this name with other arguments: use a vhost of its own",
        ),
        Ok(Err(error)) if error.is_access_refused() => found(report, broker).await,
        Ok(Err(error)) => report.warn("queues", error.to_string(), "look at RabbitMQ's log"),
        Err(_) => report.warn("queues", "RabbitMQ takes long to answer", "look at its load and alarms"),
    }
}

/// Whether somebody has declared the queues, for a user who may not.
async fn found(report: &mut Report, broker: &Broker) {
    let found = async {
        let connection = broker.connect().await?;
        look_for_queues(&connection).await?;
        connection.close(200, "done".into()).await.ok();
        Ok::<_, QueueError>(())
    };
    match found.await {
        Ok(()) => report.ok("queues", "declared; this user may not compare their arguments"),
        Err(error) if error.is_not_found() => report.fail(
            "queues",
            "the work queue is not there, or nobody has declared it as it must be",
            "start a worker: it declares the queues, and says at /readyz what keeps it from that",
        ),
        Err(error) if error.is_access_refused() => report.fail(
            "queues",
            error.to_string(),
            "deploy/rabbitmq/users gives each user the rights that this version needs",
        ),
        Err(error) => report.warn("queues", error.to_string(), "look at RabbitMQ's log"),
    }
}

fn consumers(report: &mut Report, states: &[QueueState]) {
    let consumers = |name: &str| {
        states.iter().find(|state| state.name == name).and_then(|state| state.consumers)
    };
    let Some(workers) = consumers(WORK) else {
        return report.warn(
            "workers",
            "RabbitMQ does not let this user count who consumes events, nor how many wait",
            "give it the rights of deploy/rabbitmq/permissions; RabbitMQ 4.2.6 and 4.3.0 let nobody \
             count who may not delete: take a later one",
        );
    };
    if workers == 0 {
        report.fail(
            "workers",
            "no worker consumes events: they wait in the queue",
            "start a worker; one that runs but is not ready says why at /readyz",
        );
        return;
    }
    report.ok("workers", format!("consuming events: {workers}"));
    if consumers(DEAD) == Some(0) {
        report.warn(
            "dead letters",
            "nobody collects them: they stay in the queue, and `faithctl` does not see them",
            "look at the workers' logs, and at /readyz of each",
        );
    }
}

fn lengths(report: &mut Report, states: &[QueueState], work_max_length: u64) {
    let messages = |name: &str| {
        let state = states.iter().find(|state| state.name == name);
        state.and_then(|state| state.messages).unwrap_or(0)
    };
    if messages(REJECTIONS) > REJECTIONS_MANY {
        report.warn(
            "refused deliveries",
            format!("{} wait to be logged; more than 10,000 are not kept", messages(REJECTIONS)),
            "somebody sends bad signatures in numbers, or the workers do not keep up",
        );
    }
    if messages(UNROUTED) > 0 {
        report.warn(
            "unrouted events",
            format!("{} events found no queue and are kept", messages(UNROUTED)),
            "a worker drains them once the queues are declared again: restart one",
        );
    }
    if states.iter().all(|state| state.messages.is_none()) {
        return;
    }
    let waiting = u64::from(messages(WORK));
    if waiting >= work_max_length - work_max_length / 5 {
        report.fail(
            "work queue",
            format!(
                "{waiting} of at most {work_max_length} events wait: the gateway will answer 503"
            ),
            "start more workers, and look at what keeps them from finishing (`faithctl status`)",
        );
    } else {
        report.ok("work queue", format!("{waiting} events wait"));
    }
}
