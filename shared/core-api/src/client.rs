//! Asking the core.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use member::CoreMember;
use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{ACCEPT, HeaderMap, HeaderValue},
    redirect,
};
use rustls::{ClientConfig, crypto::ring};
use serde_json::json;
use thiserror::Error;
use tracing::{Instrument, Span};
use url::Url;

use crate::{
    AllowedHosts, BadAnswer, Call, Charge, CoreError, Credentials, Endpoint, IssuedToken, Keys,
    Operation, Page, Rows, Token, body, clock::Clock, resolver::PublicResolver,
    retry_after::retry_after, single, span,
};

const MOST_REDIRECTS: usize = 3;

/// How a client asks.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Hosts that may be plain http or have a private address.
    pub allowed: AllowedHosts,
    /// For a connection, TLS included.
    pub connect_timeout: Duration,
    /// For a whole request, from the connection to the last byte of the answer, without what it waits for
    /// memory.
    pub request_timeout: Duration,
    /// The largest answer, in bytes once decompressed.
    pub largest_answer: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            allowed: AllowedHosts::default(),
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(10),
            largest_answer: 64 * 1024 * 1024,
        }
    }
}

/// The client cannot be made: the machine's TLS is broken.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No TLS versions in common with anybody.
    #[error("cannot set up TLS for the core API")]
    Tls(#[from] rustls::Error),
    /// The trusted certificates cannot be read.
    #[error("cannot read the trusted certificates")]
    Roots(#[from] runtime::TlsError),
    /// The HTTP client refused its settings.
    #[error("cannot set up the HTTP client for the core API")]
    Http(#[from] reqwest::Error),
}

/// The core's HTTP client: one for a process, so that connections are shared. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CoreClient {
    http: Client,
    request_timeout: Duration,
    largest_answer: usize,
}

impl CoreClient {
    /// Makes a client. It opens no connection yet.
    pub fn new(settings: ClientSettings) -> Result<Self, ClientError> {
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(runtime::root_store(None)?)
            .with_no_client_auth();
        let headers =
            HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            // A proxy would resolve names itself, past our check of private addresses.
            .no_proxy()
            .dns_resolver(PublicResolver::new(settings.allowed))
            .redirect(redirect::Policy::custom(same_origin))
            .referer(false)
            .http1_only()
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            // Shorter than the usual servers' own: a connection that they just closed costs a retry.
            .pool_idle_timeout(Duration::from_secs(4))
            .connect_timeout(settings.connect_timeout)
            .gzip(true)
            .user_agent(concat!("faithtracker-sync/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .build()?;
        let ClientSettings { request_timeout, largest_answer, .. } = settings;
        Ok(Self { http, request_timeout, largest_answer })
    }

    /// Gets a token. Every try counts towards the core's limit of five a minute, failed ones too.
    pub async fn login(
        &self,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<IssuedToken, CoreError> {
        let Credentials { email, password, church } = credentials;
        // Newer cores ask a super admin for which church; the others, and older cores, do not look at it.
        let login = match church {
            Some(church) => json!({"email": email, "password": password, "church_id": church}),
            None => json!({"email": email, "password": password}),
        };
        let (call, url) = (endpoint.call(Operation::LogIn), endpoint.login());
        let dress = |request: RequestBuilder| request.json(&login);
        let answer = self.send(&call, Method::POST, url, dress, &Charge::free()).await?;
        IssuedToken::parse(&answer.body).map_err(|why| bad(call, why))
    }

    /// Asks for one member, with everything that the core says of it. The answer is that member, or an error.
    pub async fn member(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        id: &str,
    ) -> Result<CoreMember, CoreError> {
        self.fetch(endpoint, token, id, &Keys::ALL, &Charge::free()).await
    }

    /// Asks for some keys of one member; what its answer takes is charged.
    pub async fn fetch(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        id: &str,
        keys: &Keys,
        charge: &Charge,
    ) -> Result<CoreMember, CoreError> {
        let call = endpoint.call(Operation::FetchMember);
        let url = endpoint.member(id).ok_or_else(|| bad(call.clone(), BadAnswer::UnaskableId))?;
        let dress = |request: RequestBuilder| request.bearer_auth(token.reveal());
        let answer = self.send(&call, Method::GET, url, dress, charge).await?;
        single::member(&answer.body, id, keys).map_err(|why| bad(call, why))
    }

    /// Asks for the page of the member list that begins after `skip` rows; `limit` is 1 to 1000.
    pub async fn page<R: Rows>(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        skip: u64,
        limit: u32,
        rows: R,
    ) -> Result<Page<R>, CoreError> {
        let call = endpoint.call(Operation::ListMembers);
        let dress = |request: RequestBuilder| request.bearer_auth(token.reveal());
        let fetching = Instant::now();
        let url = endpoint.page(skip, limit);
        let answer = self.send(&call, Method::GET, url, dress, &Charge::free()).await?;
        let (fetched_in, parsing) = (fetching.elapsed(), Instant::now());
        let page = Page::parse(&answer.body, rows).map_err(|why| bad(call, why))?;
        Ok(Page { answered_in: answer.after, fetched_in, parsed_in: parsing.elapsed(), ..page })
    }

    /// What a 200 brings.
    async fn send(
        &self,
        call: &Call,
        method: Method,
        url: Url,
        dress: impl FnOnce(RequestBuilder) -> RequestBuilder,
        charge: &Charge,
    ) -> Result<Answer, CoreError> {
        let span = span::begin(call, &method, &url);
        let request = dress(self.http.request(method, url));
        self.ask(call, request, &span, charge)
            .instrument(span.clone())
            .await
            .inspect_err(|error| span::failed(&span, error))
    }

    async fn ask(
        &self,
        call: &Call,
        request: RequestBuilder,
        span: &Span,
        charge: &Charge,
    ) -> Result<Answer, CoreError> {
        let (mut clock, begun) = (Clock::start(self.request_timeout), Instant::now());
        let response = clock
            .run(request.send())
            .await
            .ok_or_else(|| CoreError::slow(call.clone()))?
            .map_err(|source| CoreError::sending(call.clone(), source))?;
        let after = begun.elapsed();
        span::answered(span, response.status());
        if response.status() == StatusCode::OK {
            let body = body::read(call, response, self.largest_answer, &mut clock, charge).await?;
            if body::is_no_api(&body) {
                return Err(CoreError::NotAnApi { call: call.clone() });
            }
            return Ok(Answer { body, after });
        }
        Err(refusal(
            call.clone().answered(response.headers()),
            response.status(),
            response.headers(),
        ))
    }
}

/// A whole answer with status 200.
struct Answer {
    body: Vec<u8>,
    /// How long it took to begin.
    after: Duration,
}

/// What a status other than 200 means.
fn refusal(call: Call, status: StatusCode, headers: &HeaderMap) -> CoreError {
    let retry_after = retry_after(headers);
    match status.as_u16() {
        429 => CoreError::RateLimited { call, retry_after },
        status @ (408 | 425 | 500..) => CoreError::Server { call, status, retry_after },
        status @ 400.. if call.operation() == Operation::LogIn => {
            CoreError::LoginRefused { call, status }
        }
        401 => CoreError::Unauthorized { call },
        403 => CoreError::Forbidden { call },
        404 => CoreError::NotFound { call },
        410 => CoreError::Gone { call },
        300..400 => bad(call, BadAnswer::Redirect),
        status => bad(call, BadAnswer::Status(status)),
    }
}

fn bad(call: Call, why: BadAnswer) -> CoreError {
    CoreError::BadResponse { call, why }
}

/// Follows a redirect only to where the request was sent anyway: the token and the password must not go
/// anywhere else, and http must not follow https.
fn same_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let stays =
        attempt.previous().first().is_some_and(|first| origin(first) == origin(attempt.url()));
    if stays && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn origin(url: &Url) -> (&str, Option<&str>, Option<u16>) {
    (url.scheme(), url.host_str(), url.port_or_known_default())
}
