//! Two replays at once.

use std::collections::HashSet;

use futures_util::future::join;
use harness::TestSystem;

use super::mailbox::{Mailbox, queued};

#[tokio::test]
async fn two_replays_at_once_never_replay_a_letter_twice() {
    const LETTERS: i32 = 3_000;
    let system = TestSystem::builder().gateways(0).workers(2).spawn().await;
    let mailbox = Mailbox { system: &system };
    let work = mailbox.intercept().await;
    mailbox.fill(LETTERS).await;
    let (one, other) = join(mailbox.replay(&[]), mailbox.replay(&[])).await;
    assert_eq!(one + other, 3_000, "{one} and {other}");
    let queued = queued(&work);
    let deliveries: HashSet<_> = queued.iter().map(|queued| queued.delivery).collect();
    assert_eq!((queued.len(), deliveries.len()), (3_000, 3_000));
    let letters = mailbox.letters().await;
    assert!(
        letters.iter().all(|letter| letter["status"] == "replaying" && letter["replay_count"] == 1)
    );
}

#[tokio::test]
async fn a_replay_takes_no_letter_twice_though_workers_fail_them_meanwhile() {
    const LETTERS: i64 = 2_000;
    // A disabled campus: each event is dead again at once.
    let system = TestSystem::spawn().await;
    let mailbox = Mailbox { system: &system };
    system.faithctl(&["campus", "disable", &system.campus.id]).await.success();
    mailbox.fill(i32::try_from(LETTERS).unwrap()).await;
    assert_eq!(mailbox.replay(&[]).await, 2_000);
    mailbox.until_statuses(&[("open", LETTERS)]).await;
    let letters = mailbox.letters().await;
    assert!(
        letters.iter().all(|letter| {
            letter["replay_count"] == 1
                && letter["cause"] == "sync_disabled"
                && letter["attempts"] == 1
        }),
        "{:?}",
        letters.first()
    );
}
