//! A run's session with its core, and how long all its requests together go on while the core gives nothing.

use std::{sync::Arc, time::Duration};

use campus_core::CoreSession;
use core_api::{
    Charge, CoreError, Gathered, Keys, Next, RequestSlots, Rows, SessionError, Silence, Window,
    gather,
};
use member::CoreMember;

use crate::error::AskError;

/// Members asked for at once: webhooks come first.
pub(crate) const AT_ONCE: usize = 8;

/// How often one member is asked for whom the core fails on while it answers others.
const TRIES: u32 = 3;

/// How long a core may take to show that it is well.
const WELL_WITHIN: Duration = Duration::from_secs(2);

/// The core of a run's campus.
pub(crate) struct Core {
    session: Arc<CoreSession>,
    silence: Silence,
    slots: RequestSlots,
}

/// Why the core says nothing about a member.
#[derive(Debug)]
pub(crate) enum CoreFailure {
    /// It has an answer, and that is none about a living member of this kind, or it fails on this one while
    /// it is well otherwise.
    Member(CoreError),
    /// It gives nothing to anybody, or there is no way to ask it.
    Core(AskError),
}

impl Core {
    pub(crate) fn new(session: Arc<CoreSession>) -> Self {
        Self { session, silence: Silence::default(), slots: RequestSlots::new(AT_ONCE) }
    }

    /// A part of the list, whose rows go into what `rows` makes.
    pub(crate) async fn gather<R: Rows>(
        &self,
        window: Window,
        rows: impl Fn() -> R,
    ) -> Result<Gathered<R>, AskError> {
        let ask = |part: Window| self.session.page(part.skip, part.rows, &rows);
        gather(window, &self.silence, ask).await
    }

    /// Some keys of one member.
    pub(crate) async fn member(&self, id: &str, keys: &Keys) -> Result<CoreMember, CoreFailure> {
        let (answers, charge) = (self.silence.answers(), Charge::free());
        let mut tries = 0;
        loop {
            let slot = self.slots.take().await;
            self.silence.asking();
            let answer = self.session.fetch(id, keys, &charge).await;
            slot.ended(match &answer {
                Err(SessionError::Core(error)) => Some(error),
                _ => None,
            });
            let error = match answer {
                Ok(member) => {
                    self.silence.answered();
                    return Ok(member);
                }
                Err(SessionError::Core(error)) if is_answer(&error) => {
                    self.silence.answered();
                    return Err(CoreFailure::Member(error));
                }
                Err(SessionError::Core(error)) if is_refused(&error) => {
                    return Err(CoreFailure::Member(error));
                }
                Err(SessionError::Core(error)) => error,
                Err(error) => return Err(CoreFailure::Core(error)),
            };
            tries += u32::from(is_failure(&error));
            let Some(pause) = self.silence.failed(&error, Next::Same) else {
                return Err(if is_failure(&error) && self.is_well().await {
                    CoreFailure::Member(error)
                } else {
                    CoreFailure::Core(error.into())
                });
            };
            if tries >= TRIES && (self.silence.answers() > answers || self.is_well().await) {
                return Err(CoreFailure::Member(error));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether the core gives anything: a row of its list, from anywhere near the beginning.
    async fn is_well(&self) -> bool {
        let any = async {
            for skip in 0..3 {
                if self.session.page(skip, 1, Vec::new).await.is_ok_and(|page| page.came > 0) {
                    return true;
                }
            }
            false
        };
        let is_well = tokio::time::timeout(WELL_WITHIN, any).await.unwrap_or(false);
        if is_well {
            self.silence.answered();
        }
        is_well
    }
}

/// What the core says of a member however often it is asked.
fn is_answer(error: &CoreError) -> bool {
    matches!(
        error,
        CoreError::NotFound { .. }
            | CoreError::Gone { .. }
            | CoreError::BadResponse { .. }
            | CoreError::TooLarge { .. }
    )
}

/// The account may not, whatever it asks for.
fn is_refused(error: &CoreError) -> bool {
    matches!(error, CoreError::LoginRefused { .. } | CoreError::Forbidden { .. })
}

/// Whether it may be the member that the core fails on.
fn is_failure(error: &CoreError) -> bool {
    matches!(
        error,
        CoreError::Server { .. } | CoreError::Unreachable { .. } | CoreError::NotAnApi { .. }
    )
}
