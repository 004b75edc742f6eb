//! A core that answers what a test tells it to, and remembers what it was asked.

use std::{
    convert::Infallible,
    future::Future,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use core_api::{Endpoint, EndpointParts};
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// A request, as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query, byte for byte.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn is_login(&self) -> bool {
        self.target == "/api/auth/login"
    }
}

/// A server on a free port of its own, gone with its value.
pub(crate) struct TestCore {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl TestCore {
    pub(crate) async fn spawn<F, Answer>(answer: F) -> Self
    where
        F: Fn(Asked) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(listener, Arc::new(answer), Arc::clone(&asked)));
        Self { address, asked, task }
    }

    /// Always the same answer.
    pub(crate) async fn always(
        status: u16,
        headers: &[(&'static str, &str)],
        body: impl Into<Bytes>,
    ) -> Self {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Full::new(body.into())).unwrap();
        Self::spawn(move |_| std::future::ready(response.clone())).await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn logins(&self) -> usize {
        self.asked().iter().filter(|asked| asked.is_login()).count()
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint(&format!("http://{}", self.address))
    }
}

impl Drop for TestCore {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn endpoint(base_url: &str) -> Endpoint {
    let parts = EndpointParts {
        base_url,
        path_prefix: "/api",
        login_path: "/auth/login",
        members_path: "/members/",
    };
    Endpoint::parse(parts, &"127.0.0.1,localhost".parse().unwrap()).unwrap()
}

pub(crate) fn json(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let body = Full::new(Bytes::from(body.to_string()));
    Response::builder().status(status).body(body).unwrap()
}

async fn serve<F, Answer>(listener: TcpListener, answer: Arc<F>, asked: Arc<Mutex<Vec<Asked>>>)
where
    F: Fn(Asked) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
        let service = service_fn(move |request: Request<Incoming>| {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            async move {
                let seen = read(request).await;
                asked.lock().unwrap().push(seen.clone());
                Ok::<_, Infallible>(answer(seen).await)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn read(request: Request<Incoming>) -> Asked {
    let (parts, body) = request.into_parts();
    let authorization = parts.headers.get("authorization");
    Asked {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
        body: body.collect().await.unwrap().to_bytes(),
    }
}
