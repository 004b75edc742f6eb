//! `faithctl dead-letters replay`

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use database::Client;
use event::{DecodeError, Envelope, History};
use indicatif::HumanCount;
use queue::{Message, PublishError, Route};
use runtime::{TRACES, Trace, TraceContext, parse_duration};
use serde_json::{Value, json};
use store::dead_letters::{Claim, Replayable};
use tokio_util::sync::CancellationToken;
use tracing::Span;
use uuid::Uuid;

use super::{
    ends::Ends,
    pace::{Pace, parse_rate},
    progress::{Progress, letters},
    publisher::ReplayPublisher,
    selection::{Selected, Selection, SelectionFilter, unreadable_in_words},
};
use crate::{
    confirm,
    environment::Environment,
    failure::{Interrupted, Reported, say},
    output,
};

/// How long a broker that takes nothing is waited for before the run ends.
const BROKER_TIME_LIMIT: Duration = Duration::from_mins(2);
const BROKER_PAUSE: Duration = Duration::from_millis(500);

/// Sends open letters through the workers again, those that died first first.
///
/// Takes what is open when it begins; what fails again meanwhile is left for the next replay. It may
/// be interrupted at any moment and run again, also twice at once: no letter is lost, none is
/// replayed twice.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    faithctl dead-letters replay --cause core_unavailable --dry-run\n  \
    faithctl dead-letters replay --cause core_unavailable --since 24h\n  \
    faithctl dead-letters replay --campus 'GKBJ Kebon Jeruk' --rate 50/s --yes --wait\n  \
    faithctl dead-letters replay --id 01936d4e-5f0a-7c3e-9b1d-2a4c6e8f0a1b\n\n\
    Try a few first (`--limit 10`), and look at what became of them:\n  \
    faithctl dead-letters list --limit 10\n\n\
    By --id, letters that were replayed already and came to no end can be sent once more.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Say how many would be replayed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// At most so many a second, such as 50/s
    #[arg(long, value_name = "N/s", value_parser = parse_rate)]
    rate: Option<u32>,
    /// Wait until each has come to an end, and tell how many are resolved and how many failed again, by cause; exit
    /// code 1 unless all are resolved
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "10m", value_parser = duration)]
    wait: Option<Duration>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print a JSON object with the numbers
    #[arg(long)]
    json: bool,
}

/// What became of the letters that were chosen.
#[derive(Debug, Default)]
struct Tally {
    replayed: Vec<Uuid>,
    /// Another replay took them, or they are no longer open.
    left: usize,
    unreadable: usize,
}

pub(super) async fn run(
    arguments: &Arguments,
    environment: &Environment,
    interrupted: &CancellationToken,
) -> anyhow::Result<()> {
    arguments.selection.check()?;
    if !arguments.dry_run {
        confirm::require(arguments.yes)?;
        // A bad setting is said before anything is asked.
        environment.broker()?;
    }
    let mut client = environment.client().await?;
    let by_id = arguments.selection.is_by_id();
    let filter = SelectionFilter { events_only: true, replaying_too: by_id };
    let chosen = arguments.selection.choose(&client, filter).await?;
    let mut tally = Tally { unreadable: chosen.unreadable, ..Tally::default() };
    if arguments.dry_run {
        return report(arguments, &chosen, &tally, None);
    }
    let question = format!("Replay {}", chosen.in_words(&client).await?);
    confirm::ask(&question, environment, arguments.yes, interrupted).await?;

    let publisher = ReplayPublisher::connect(environment).await?;
    let mut replay = Replay {
        client: &mut client,
        publisher: &publisher,
        claim: Claim { before: chosen.at, replaying_too: by_id },
        pace: Pace::new(arguments.rate),
        progress: Progress::new("replayed", chosen.ids.len()),
        interrupted,
        tally: &mut tally,
        run: tracing::info_span!(
            target: TRACES,
            "replay dead letters",
            faithtracker.letters = runtime::number(chosen.ids.len()),
        ),
    };
    let result = replay.all(&chosen.ids).await;
    replay.progress.finish();
    drop(replay);
    publisher.close().await;
    let ends = match arguments.wait.filter(|_| result.is_ok()) {
        Some(limit) => Some(Ends::wait(&client, &tally.replayed, limit, interrupted).await?),
        None => None,
    };
    report(arguments, &chosen, &tally, ends.as_ref())?;
    if result.is_err() {
        say("the rest stays open: the same command again goes on with it");
    }
    result?;
    match ends {
        Some(ends) if interrupted.is_cancelled() && !ends.are_all_known() => {
            Err(Interrupted.into())
        }
        Some(ends) if !ends.are_good() => Err(Reported.into()),
        _ => Ok(()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a duration such as 10m".to_owned())
}

/// A replay under way.
struct Replay<'a> {
    client: &'a mut Client,
    publisher: &'a ReplayPublisher,
    claim: Claim,
    pace: Pace,
    progress: Progress,
    interrupted: &'a CancellationToken,
    tally: &'a mut Tally,
    /// The span of the whole run.
    run: Span,
}

impl Replay<'_> {
    async fn all(&mut self, ids: &[Uuid]) -> anyhow::Result<()> {
        for batch in ids.chunks(self.pace.batch()) {
            self.until_confirmed(batch).await?;
            tokio::select! {
                () = self.pace.keep(batch.len()) => {}
                () = self.interrupted.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Replays a batch, again and again while the broker does not take all of it.
    async fn until_confirmed(&mut self, batch: &[Uuid]) -> anyhow::Result<()> {
        let mut waiting = batch.to_vec();
        let mut since: Option<Instant> = None;
        loop {
            if self.interrupted.is_cancelled() {
                return Err(Interrupted.into());
            }
            let before = waiting.len();
            let (rest, failure) = self.once(&waiting).await?;
            waiting = rest;
            let Some(failure) = failure else { return Ok(()) };
            if waiting.len() < before {
                since = None;
            }
            if since.is_none() {
                self.progress.note(&format!("{failure}: waiting for it"));
            }
            if since.get_or_insert_with(Instant::now).elapsed() > BROKER_TIME_LIMIT {
                return Err(
                    anyhow::Error::from(failure).context("the replay did not come to its end")
                );
            }
            tokio::select! {
                () = tokio::time::sleep(BROKER_PAUSE) => {}
                () = self.interrupted.cancelled() => {}
            }
        }
    }

    /// One transaction: lock, publish, mark what was confirmed. Answers what was not, and why.
    async fn once(&mut self, ids: &[Uuid]) -> anyhow::Result<(Vec<Uuid>, Option<PublishError>)> {
        let claimed = self.claim.lock(self.client, ids).await?;
        let mut readable: Vec<(Uuid, Message)> = Vec::with_capacity(claimed.letters.len());
        let mut unreadable = 0;
        for letter in &claimed.letters {
            match message(letter, &self.run) {
                Some(message) => readable.push((letter.id, message)),
                None => unreadable += 1,
            }
        }
        let (letters, messages): (Vec<Uuid>, Vec<Message>) = readable.into_iter().unzip();
        let results = self.publisher.publish(messages).await;
        let (mut confirmed, mut rest, mut failure) = (Vec::new(), Vec::new(), None);
        for (letter, result) in letters.into_iter().zip(results) {
            match result {
                Ok(()) => confirmed.push(letter),
                Err(error) => {
                    rest.push(letter);
                    failure = Some(error);
                }
            }
        }
        let left = ids.len() - claimed.letters.len();
        claimed.commit(&confirmed).await?;
        self.tally.replayed.extend(&confirmed);
        self.tally.left += left;
        self.tally.unreadable += unreadable;
        self.progress.advance(ids.len() - rest.len());
        Ok((rest, failure))
    }
}

/// The event as it was received, with nothing tried yet: an outage's age starts anew. None
/// where the letter holds no event.
///
/// It goes on in the trace that it began in, where its row says it is; that and the replay's own
/// trace are linked, so that what becomes of it is found from both.
fn message(letter: &Replayable, run: &Span) -> Option<Message> {
    let bytes = original(&letter.envelope)?;
    let envelope = match Envelope::decode(&bytes) {
        Ok(envelope) => Some(envelope),
        // A worker that knows it may run; one that does not lets it wait.
        Err(DecodeError::Version(_)) => None,
        Err(_) => return None,
    };
    let history = History { replays: letter.replay_count.saturating_add(1), ..History::default() };
    let replay = Trace::of(tracing::info_span!(
        target: TRACES,
        parent: run.id(),
        "replay dead letter",
        faithtracker.event.id = envelope.as_ref().map(|envelope| envelope.event_id.as_str()),
        "faithtracker.event.type" = envelope.as_ref().map(|envelope| envelope.event_type.label()),
        faithtracker.campus.id =
            envelope.as_ref().map(|envelope| tracing::field::display(envelope.campus_id)),
        messaging.message.id = %letter.id,
        faithtracker.replay = i64::from(history.replays),
    ));
    let origin = letter.trace_id.as_deref().and_then(TraceContext::of_trace);
    let resumed = tracing::info_span!(target: TRACES, parent: None, "resume dead letter");
    let resumed = match origin {
        Some(origin) => Trace::continued(resumed, Some(origin)),
        None => Trace::of(resumed),
    };
    runtime::share(replay.span(), std::iter::once(resumed.span()), "replay");
    let context = resumed.context();
    let message = match envelope {
        Some(envelope) => Message::new(&envelope, Route::Work, context),
        None => Message::of_bytes(bytes, Some(&letter.id.to_string()), Route::Work, context),
    };
    Some(message.with_history(&history))
}

/// The message as it was: the envelope, or the bytes of one that a newer program wrote.
fn original(envelope: &Value) -> Option<Vec<u8>> {
    match envelope.get("base64").and_then(Value::as_str) {
        Some(bytes) => BASE64_STANDARD.decode(bytes).ok(),
        None => serde_json::to_vec(envelope).ok(),
    }
}

fn report(
    arguments: &Arguments,
    chosen: &Selected,
    tally: &Tally,
    ends: Option<&Ends>,
) -> anyhow::Result<()> {
    let Tally { replayed, left, unreadable } = tally;
    let (replayed, left, unreadable) = (replayed.len(), *left, *unreadable);
    let matched = chosen.ids.len();
    let numbers = |number: usize| HumanCount(number as u64);
    if arguments.json {
        output::object(&json!({
            "matched": matched,
            "replayed": replayed,
            "left": left,
            "unreadable": unreadable,
            "dry_run": arguments.dry_run,
            "outcomes": ends,
        }))?;
    } else if arguments.dry_run {
        output::line(&format!("would replay {}", letters(matched)))?;
    } else {
        output::line(&format!("replayed {} of {}", numbers(replayed), letters(matched)))?;
        if let Some(ends) = ends {
            output::line(&ends.in_words())?;
        }
    }
    if left > 0 {
        say(&format!("{left} were left: another replay took them, or they are no longer open"));
    }
    if unreadable > 0 {
        say(unreadable_in_words(unreadable).trim_start_matches("; "));
    }
    Ok(())
}
