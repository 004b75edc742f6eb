//! Webhooks as fast as they are answered, or at a rate of their own: written to raw connections,
//! since the machine that sends is the machine that is measured.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use crate::samples::Samples;

/// A connection that is refused is tried again after this.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// When the next webhook is posted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as the one before it on its connection is answered.
    Answered,
    /// So many a second over all connections, whatever the answers' pace. A webhook that has to
    /// wait for a free connection is counted from when it should have been sent, so that a slow
    /// answer is not hidden by the requests that it held up.
    Rate(u32),
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    After(Duration),
    Webhooks(u64),
}

/// One webhook: the whole request, and the status that is right for it.
pub(crate) struct Post {
    pub(crate) request: Vec<u8>,
    pub(crate) expected: u16,
}

/// Makes the webhook of a number; told the moment that it is counted from.
pub(crate) type Source = Arc<dyn Fn(u64, Instant) -> Post + Send + Sync>;

/// What to send where.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    pub(crate) end: End,
    pub(crate) source: Source,
}

/// How it was answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// From when it was, or should have been, sent to the last byte of the answer, of those that
    /// were answered 2xx.
    pub(crate) accepted: Samples,
    /// Answered as expected, though not 2xx.
    pub(crate) refused: u64,
    /// Answered otherwise than expected.
    pub(crate) wrong: u64,
    /// Not answered: the connection ended.
    pub(crate) broken: u64,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Answers {
    /// Accepted webhooks a second.
    pub(crate) fn rate(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "some millions")]
        let accepted = self.accepted.len() as f64;
        accepted / self.elapsed.as_secs_f64()
    }

    /// Says what should not have been; nothing where all is well.
    pub(crate) fn complaint(&self) -> Option<String> {
        (self.wrong + self.broken > 0).then(|| {
            format!("{} answered otherwise than expected, {} not at all", self.wrong, self.broken)
        })
    }
}

/// What the connections share.
struct Shared {
    load: Load,
    next: AtomicU64,
    begin: Instant,
}

/// Sends it all.
pub(crate) async fn send(load: Load) -> Answers {
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        connections.push(connect(load.address).await);
    }
    let begin = Instant::now();
    let shared = Arc::new(Shared { load, next: AtomicU64::new(0), begin });
    let mut senders: JoinSet<Answers> = connections
        .into_iter()
        .map(|connection| {
            let shared = Arc::clone(&shared);
            async move { shared.post_on(connection).await }
        })
        .collect();
    let mut all = Answers::default();
    while let Some(answers) = senders.join_next().await {
        let answers = answers.unwrap();
        all.accepted.append(answers.accepted);
        all.refused += answers.refused;
        all.wrong += answers.wrong;
        all.broken += answers.broken;
    }
    all.elapsed = begin.elapsed();
    all
}

async fn connect(address: SocketAddr) -> TcpStream {
    loop {
        if let Ok(stream) = TcpStream::connect(address).await {
            stream.set_nodelay(true).unwrap();
            return stream;
        }
        tokio::time::sleep(CONNECT_PAUSE).await;
    }
}

impl Shared {
    /// Posts one after another until the end.
    async fn post_on(&self, mut connection: TcpStream) -> Answers {
        let mut answers = Answers::default();
        let mut buffer = Vec::with_capacity(1024);
        while let Some((number, begin)) = self.next().await {
            let post = (self.load.source)(number, begin);
            match answer(&mut connection, &post.request, &mut buffer).await {
                Ok(status) if status != post.expected => answers.wrong += 1,
                Ok(200..300) => answers.accepted.add(begin.elapsed()),
                Ok(_) => answers.refused += 1,
                Err(_) => {
                    answers.broken += 1;
                    connection = connect(self.load.address).await;
                }
            }
        }
        answers
    }

    /// The next webhook's number and the moment that it is counted from, which is now or past.
    async fn next(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match self.load.pace {
            Pace::Answered => Instant::now(),
            Pace::Rate(rate) => {
                self.begin
                    + Duration::from_secs_f64(
                        f64::from(u32::try_from(number).ok()?) / f64::from(rate),
                    )
            }
        };
        let more = match self.load.end {
            End::Webhooks(webhooks) => number < webhooks,
            End::After(duration) => due < self.begin + duration,
        };
        if !more {
            return None;
        }
        if due <= Instant::now() {
            return Some((number, due));
        }
        sleep_until(due).await;
        // The timer is up to a millisecond late; that is the bench's own doing.
        Some((number, Instant::now()))
    }
}

/// Sends a request and reads its whole answer; returns the status.
async fn answer(
    connection: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> std::io::Result<u16> {
    /// Beyond every limit of the gateway.
    const TIME_LIMIT: Duration = Duration::from_secs(30);
    let deadline = Instant::now() + TIME_LIMIT;
    let exchange = async {
        connection.write_all(request).await?;
        buffer.clear();
        loop {
            if connection.read_buf(buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(status) = whole_answer(buffer) {
                return Ok(status);
            }
        }
    };
    timeout_at(deadline, exchange).await.unwrap_or_else(|late| Err(late.into()))
}

/// The status, once the whole answer is there.
fn whole_answer(bytes: &[u8]) -> Option<u16> {
    const LENGTH: &[u8] = b"content-length: ";
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let length = bytes[..head].windows(LENGTH.len()).position(|window| window == LENGTH)?;
    let digits = bytes[length + LENGTH.len()..head].split(|byte| *byte == b'\r').next()?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    if bytes.len() < head + 4 + length {
        return None;
    }
    std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()
}

#[test]
fn an_answer_is_whole_when_its_last_byte_is_there() {
    let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(whole_answer(answer), Some(202));
    for cut in 0..answer.len() {
        assert_eq!(whole_answer(&answer[..cut]), None);
    }
}
