//! Logging in to a campus's core for an operator who wants to know whether that works.

use std::time::Duration;

use core_api::{
    CoreClient, CoreError, Lease, Operation, Responder, Token, TokenStore, Unreachable,
};
use store::{PostgresTokens, TokenError};

use super::CampusCore;
use crate::failure::{in_words, say};

/// Longer than another program's login takes.
const TIME_LIMIT: Duration = Duration::from_secs(90);
/// Between two looks at another program's login.
const POLL: Duration = Duration::from_millis(500);
/// A longer pause of logins is told, and not waited for.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Why there is no token.
pub(crate) enum LoginError {
    /// The core's own doing.
    Core(CoreError),
    /// Anything else.
    Other(anyhow::Error),
}

impl From<TokenError> for LoginError {
    fn from(error: TokenError) -> Self {
        Self::Other(error.into())
    }
}

/// A token to ask the core with.
pub(crate) struct CoreLogin {
    pub(crate) token: Token,
    /// How long ago it was obtained, where it was there already and no login was tried.
    pub(crate) reused: Option<Duration>,
}

impl CoreLogin {
    /// `logged in to HOST as EMAIL`, or what was used instead.
    pub(crate) fn in_words(&self, core: &CampusCore) -> String {
        let (host, account) = (core.endpoint.host_and_port(), &core.config.api_email);
        match self.reused {
            None => format!("logged in to {host} as {account}"),
            Some(age) => format!(
                "not logged in to {host} as {account}: reused the token of {} s ago, as one under a minute old is not \
                 replaced",
                age.as_secs()
            ),
        }
    }
}

/// Logs in with the campus's account, within the budget that all programs share, and leaves them
/// the token. One that is less than a minute old is not replaced, but used.
pub(crate) async fn log_in(
    core: &CampusCore,
    client: &CoreClient,
    tokens: &PostgresTokens,
) -> Result<CoreLogin, LoginError> {
    let (campus, host) = (core.config.id, core.endpoint.host_and_port());
    let give_up = tokio::time::Instant::now() + TIME_LIMIT;
    while tokio::time::Instant::now() < give_up {
        let stored = tokens.current(campus).await?;
        let version = stored.as_ref().map(|stored| stored.version);
        let wait = match tokens.lease(campus, version, core.config.version, &host).await? {
            Lease::Won(fence) => {
                let token = use_lease(core, client, tokens, fence).await?;
                return Ok(CoreLogin { token, reused: None });
            }
            Lease::TooYoung => match stored {
                Some(stored) => {
                    return Ok(CoreLogin { token: stored.token, reused: Some(stored.age) });
                }
                None => POLL,
            },
            Lease::Newer(_) | Lease::HeldByAnother => POLL,
            Lease::Outdated => {
                return Err(LoginError::Other(anyhow::anyhow!(
                    "the campus was configured anew just now: try again"
                )));
            }
            Lease::NotBefore(wait, after) | Lease::NoBudget(wait, after) => {
                let wait = wait.max(Duration::from_secs(1));
                if wait > LONGEST_WAIT {
                    return Err(LoginError::Core(CoreError::LoginPaused {
                        retry_after: wait,
                        after,
                    }));
                }
                say(&format!("login paused: {after}; trying again in {} s", wait.as_secs()));
                wait
            }
        };
        tokio::time::sleep(wait).await;
    }
    Err(LoginError::Other(anyhow::anyhow!(
        "other programs are logging in to {host} all the time: try again in a minute"
    )))
}

async fn use_lease(
    core: &CampusCore,
    client: &CoreClient,
    tokens: &PostgresTokens,
    fence: i64,
) -> Result<Token, LoginError> {
    let campus = core.config.id;
    match client.login(&core.endpoint, &core.credentials).await {
        Ok(issued) => {
            let stored = tokens.replace(campus, fence, &issued.token, issued.lifetime).await?;
            Ok(stored.token)
        }
        Err(error) => {
            tokens.login_failed(campus, fence, error.login_pause(), error.login_trouble()).await?;
            Err(LoginError::Core(error))
        }
    }
}

/// A failure of the core, with what an operator can do about it.
pub(crate) fn explained(error: CoreError, core: &CampusCore) -> anyhow::Error {
    let advice = advice(&error, core);
    anyhow::anyhow!("{}\n    → {advice}", in_words(&error.into()))
}

/// What an operator can do about a failure of the core.
pub(crate) fn advice(error: &CoreError, core: &CampusCore) -> String {
    let config = &core.config;
    // Not the campus's own id: the same core may serve others too.
    let set = "`faithctl campus set ID";
    match error {
        CoreError::Unreachable { kind, .. } => match kind {
            Unreachable::Connect => format!(
                "nothing answers at {}: is the address right ({set} --api-base-url …`), is the core up, \
                 and may this machine reach it?",
                core.endpoint.host_and_port()
            ),
            Unreachable::Tls => format!(
                "the certificate of {} is not trusted: is it expired, or for another name?",
                core.endpoint.host_and_port()
            ),
            Unreachable::PrivateAddress => {
                "name the host in CORE_URLS_ALLOW if that is meant".to_owned()
            }
            Unreachable::Timeout | Unreachable::Slow | Unreachable::Interrupted => {
                "the core is too slow, or something between cuts it off".to_owned()
            }
        },
        CoreError::LoginRefused { status: 404 | 405, .. } => format!(
            "there is no login at {}{}: the path prefix is another one ({set} --api-path-prefix …`)",
            config.api_path_prefix, config.api_login_path
        ),
        CoreError::LoginRefused { .. } => format!(
            "the core refused the account {}: correct it with {set} --api-password-stdin`, or --api-email",
            config.api_email
        ),
        CoreError::Forbidden { call } if call.responder() == Some(Responder::Proxy) => {
            proxy(core)
        }
        CoreError::Forbidden { call } => {
            let what = match call.operation() {
                Operation::FetchMember => "view members (it may list them)",
                Operation::LogIn | Operation::ListMembers => "list members",
            };
            format!("the account {} may not {what}: give it that right in FaithFlow", config.api_email)
        }
        CoreError::NotFound { .. } | CoreError::Gone { .. } => format!(
            "there is no member list at {}{}: the paths are other ones ({set} --api-path-prefix …`, or --api-members-path)",
            config.api_path_prefix, config.api_members_path
        ),
        CoreError::BadResponse { .. } | CoreError::NotAnApi { .. } => format!(
            "what answers at {} is no FaithFlow API that we know: is the address right?",
            core.endpoint.host_and_port()
        ),
        CoreError::Server { call, .. } if call.responder() != Some(Responder::Core) => proxy(core),
        CoreError::Server { .. } | CoreError::TooLarge { .. } => {
            "the core failed: its own log tells more".to_owned()
        }
        CoreError::RateLimited { .. } | CoreError::LoginPaused { .. } => {
            "the core allows few requests a minute: try again a little later".to_owned()
        }
        CoreError::Unauthorized { .. } => {
            "the core does not accept the token that it just gave: several cores behind one address?".to_owned()
        }
    }
}

fn proxy(core: &CampusCore) -> String {
    format!(
        "the answer is not in JSON as the core's are: look at the proxy before {}, and whether the core behind it runs",
        core.endpoint.host_and_port()
    )
}
