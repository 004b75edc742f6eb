//! A front before RabbitMQ that refuses passive declarations, as RabbitMQ 4.2.6 and later do to
//! whoever has no right on a queue: for tests of that on any broker.

use std::{
    collections::HashSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

/// AMQP 0-9-1: type, channel and size come before a frame's payload, one byte after it.
const HEADER: usize = 7;
const METHOD: u8 = 1;
const FRAME_END: u8 = 0xCE;

/// Class and method, as they begin the payload of a method's frame.
const CHANNEL_CLOSE: [u8; 4] = [0, 20, 0, 40];
const CHANNEL_CLOSE_OK: [u8; 4] = [0, 20, 0, 41];
const QUEUE_DECLARE: [u8; 4] = [0, 50, 0, 10];

/// A running front; dropping it ends what goes through it.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Front {
    /// Starts a front to `target` on a free loopback port.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target));
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What both directions of a connection know.
#[derive(Clone)]
struct Between {
    to_client: Arc<tokio::sync::Mutex<OwnedWriteHalf>>,
    /// Channels that the front has closed towards the client.
    refused: Arc<Mutex<HashSet<[u8; 2]>>>,
    /// Of those, the ones whose end the broker is about to confirm, to us.
    closing: Arc<Mutex<HashSet<[u8; 2]>>>,
}

async fn carry(client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let mut protocol = [0; 8];
    from_client.read_exact(&mut protocol).await?;
    to_server.write_all(&protocol).await?;
    let between = Between {
        to_client: Arc::new(tokio::sync::Mutex::new(to_client)),
        refused: Arc::default(),
        closing: Arc::default(),
    };
    tokio::select! {
        ended = ask(from_client, to_server, between.clone()) => ended,
        ended = answer(from_server, between) => ended,
    }
}

/// Carries what the client says.
async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, between: Between) -> io::Result<()> {
    loop {
        let frame = read(&mut from).await?;
        let channel = channel_of(&frame);
        if is(&frame, QUEUE_DECLARE) && is_passive(&frame) {
            between.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(channel);
            between.to_client.lock().await.write_all(&refusal(channel, &frame)).await?;
            continue;
        }
        let was_refused = is(&frame, CHANNEL_CLOSE_OK)
            && between.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(&channel);
        if was_refused {
            between.closing.lock().unwrap_or_else(PoisonError::into_inner).insert(channel);
            to.write_all(&close(channel, 200, "", [0; 4])).await?;
            continue;
        }
        to.write_all(&frame).await?;
    }
}

/// Carries what the broker says.
async fn answer(mut from: OwnedReadHalf, between: Between) -> io::Result<()> {
    loop {
        let frame = read(&mut from).await?;
        let is_ours = is(&frame, CHANNEL_CLOSE_OK) && {
            let mut closing = between.closing.lock().unwrap_or_else(PoisonError::into_inner);
            closing.remove(&channel_of(&frame))
        };
        if !is_ours {
            between.to_client.lock().await.write_all(&frame).await?;
        }
    }
}

async fn read(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEADER];
    from.read_exact(&mut frame).await?;
    let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
    frame.resize(HEADER + size + 1, 0);
    from.read_exact(&mut frame[HEADER..]).await?;
    Ok(frame)
}

fn is(frame: &[u8], method: [u8; 4]) -> bool {
    frame[0] == METHOD && frame[HEADER..].starts_with(&method)
}

fn channel_of(frame: &[u8]) -> [u8; 2] {
    [frame[1], frame[2]]
}

/// A declaration's name, after class, method and two bytes that mean nothing.
fn queue_of(frame: &[u8]) -> &[u8] {
    let name = HEADER + 6;
    &frame[name + 1..name + 1 + usize::from(frame[name])]
}

/// The first bit after the name.
fn is_passive(frame: &[u8]) -> bool {
    frame[HEADER + 6 + 1 + queue_of(frame).len()] & 1 == 1
}

fn refusal(channel: [u8; 2], declaration: &[u8]) -> Vec<u8> {
    let queue = String::from_utf8_lossy(queue_of(declaration));
    let text = format!("ACCESS_REFUSED - configure access to queue '{queue}' refused");
    close(channel, 403, &text, QUEUE_DECLARE)
}

/// A frame that closes a channel.
fn close(channel: [u8; 2], code: u16, text: &str, for_method: [u8; 4]) -> Vec<u8> {
    let mut payload = CHANNEL_CLOSE.to_vec();
    payload.extend(code.to_be_bytes());
    payload.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    payload.extend(text.bytes().take(usize::from(u8::MAX)));
    payload.extend(for_method);
    let mut frame = vec![METHOD, channel[0], channel[1]];
    frame.extend(u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(payload);
    frame.push(FRAME_END);
    frame
}
