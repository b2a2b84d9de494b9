//! A receiver for tests: a real HTTP server on a free port that stores every request and answers by script. It
//! behaves; it expects nothing.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// A test that waits longer than this has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Its number at this receiver, from 0.
    pub(crate) number: usize,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }
}

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Status(u16),
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Nothing, ever.
    Stall,
    /// Closes without an answer.
    Close,
    /// A head, and then a byte now and then, without end.
    Drip(u16),
    /// A head, and then bytes without end.
    Flood(u16),
    /// Waits for a permit, then answers.
    Hold(Arc<Semaphore>, u16),
}

type Script = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

struct Book {
    script: Script,
    received: Mutex<Vec<Received>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    changed: Notify,
}

/// The receiver. It ends when it is dropped.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    scheme: &'static str,
    book: Arc<Book>,
    task: AbortHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub(crate) async fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::bind(None, script).await
    }

    pub(crate) async fn start_tls(
        tls: TlsAcceptor,
        script: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind(Some(tls), script).await
    }

    async fn bind(tls: Option<TlsAcceptor>, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let book = Arc::new(Book {
            script: Arc::new(script),
            received: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            changed: Notify::new(),
        });
        let task = tokio::spawn(accept(listener, tls, book.clone())).abort_handle();
        Self { address, scheme, book, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.book.received.lock().unwrap().clone()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.book.in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.book.most_in_flight.load(Ordering::SeqCst)
    }

    /// Waits until this many requests have come.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        self.wait_until(|received| received.len() >= count).await
    }

    pub(crate) async fn wait_until(&self, wanted: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let wait = async {
            loop {
                let changed = self.book.changed.notified();
                let received = self.received();
                if wanted(&received) {
                    return received;
                }
                changed.await;
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(received) => received,
            Err(_) => panic!("the receiver waits in vain; it has {} requests", self.received().len()),
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, book: Arc<Book>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (tls, book) = (tls.clone(), book.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, book).await,
                        Some(tls) => if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, book).await;
                        },
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, book: Arc<Book>) {
    let service = service_fn(|request| answer(request, book.clone()));
    // A request that is to be closed without an answer ends here as an error.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

struct InFlight(Arc<Book>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

async fn answer(request: Request<Incoming>, book: Arc<Book>) -> Result<Response<Body>, &'static str> {
    let now = book.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
    book.most_in_flight.fetch_max(now, Ordering::SeqCst);
    let _in_flight = InFlight(book.clone());
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "the request broke off")?.to_bytes();
    let path = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let reply = {
        let mut all = book.received.lock().unwrap();
        let received = Received { number: all.len(), path, headers: head.headers, body };
        let reply = (book.script)(&received);
        all.push(received);
        reply
    };
    book.changed.notify_waiters();
    match reply {
        Reply::Status(status) => Ok(response(status, full(Vec::new()))),
        Reply::Answer(status, headers, body) => {
            let mut response = response(status, full(body));
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            Ok(response)
        }
        Reply::Stall => pending().await,
        Reply::Close => Err("closed by script"),
        Reply::Drip(status) => Ok(response(status, endless(1, Duration::from_millis(10)))),
        Reply::Flood(status) => Ok(response(status, endless(16 * 1024, Duration::ZERO))),
        Reply::Hold(gate, status) => {
            gate.acquire().await.unwrap().forget();
            Ok(response(status, full(Vec::new())))
        }
    }
}

fn response(status: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().unwrap();
    response
}

fn full(body: Vec<u8>) -> Body {
    Full::new(Bytes::from(body)).boxed_unsync()
}

fn endless(length: usize, pause: Duration) -> Body {
    let pieces = stream::unfold((), move |()| async move {
        sleep(pause).await;
        Some((Ok(Frame::data(Bytes::from(vec![b'x'; length]))), ()))
    });
    StreamBody::new(pieces).boxed_unsync()
}
