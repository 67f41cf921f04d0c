//! A gateway in front of apps that live in this process, and a browser.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kiln_daemon::domain::id::{ProjectId, RevisionId};
use kiln_daemon::fresh;
use kiln_daemon::preview::{BoxedIo, Gateway, Limits, Target, Targets, WaitingPage};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes between the gateway and an app.
const PIPE: usize = 64 * 1024;

/// What listens on a port of the sandbox.
pub(crate) type App = Arc<dyn Fn(DuplexStream) -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    target: Mutex<Target>,
    apps: Mutex<HashMap<u16, (App, CancellationToken)>>,
    opened: AtomicUsize,
}

impl Sandbox {
    /// What the project shows from now on.
    pub(crate) fn show(&self, port: u16) {
        *self.inner.target.lock().unwrap() = Target::Ready {
            port,
            revision: fresh::id::<RevisionId>(),
        };
    }

    pub(crate) fn wait(&self, page: WaitingPage) {
        *self.inner.target.lock().unwrap() = Target::Waiting(page);
    }

    pub(crate) fn run(&self, port: u16, app: App) {
        let running = (app, CancellationToken::new());
        self.inner.apps.lock().unwrap().insert(port, running);
    }

    /// Ends the app on a port, and its connections with it.
    pub(crate) fn kill(&self, port: u16) {
        let (_, end) = self.inner.apps.lock().unwrap().remove(&port).unwrap();
        end.cancel();
    }

    /// Connections to apps so far.
    pub(crate) fn opened(&self) -> usize {
        self.inner.opened.load(Ordering::SeqCst)
    }
}

impl Targets for Sandbox {
    async fn target(&self, _: ProjectId) -> Target {
        self.inner.target.lock().unwrap().clone()
    }

    async fn open(&self, _: ProjectId, port: u16) -> io::Result<BoxedIo> {
        let app = self.inner.apps.lock().unwrap().get(&port).cloned();
        let (app, end) = app.ok_or(io::ErrorKind::ConnectionRefused)?;
        self.inner.opened.fetch_add(1, Ordering::SeqCst);
        let (near, far) = tokio::io::duplex(PIPE);
        tokio::spawn(end.run_until_cancelled_owned(app(far)));
        Ok(Box::new(near))
    }
}

pub(crate) struct Preview {
    pub(crate) gateway: Gateway<Sandbox>,
    pub(crate) sandbox: Sandbox,
    pub(crate) project: ProjectId,
    pub(crate) address: SocketAddr,
}

impl Preview {
    pub(crate) async fn of(app: App) -> Self {
        Self::with(Limits::default(), app).await
    }

    /// A preview of an app on port 5173.
    pub(crate) async fn with(limits: Limits, app: App) -> Self {
        let sandbox = Sandbox {
            inner: Arc::new(Inner {
                target: Mutex::new(Target::Waiting(WaitingPage::default())),
                apps: Mutex::default(),
                opened: AtomicUsize::new(0),
            }),
        };
        sandbox.run(5173, app);
        sandbox.show(5173);
        let gateway = Gateway::new(sandbox.clone(), limits);
        let project = fresh::id();
        let address = gateway.ensure(project, 0).await.unwrap();
        Self {
            gateway,
            sandbox,
            project,
            address,
        }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// A request with our own host name.
    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.host())
    }

    /// Sends one request over a connection of its own.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        Browser::open(self.address).await.send(request).await
    }

    /// What a GET of `path` shows.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = self.send(self.request("GET", path).empty()).await;
        (response.status().as_u16(), text(response).await)
    }

    /// A connection on which a test writes as it likes.
    pub(crate) async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// One kept-alive connection of a browser.
pub(crate) struct Browser {
    sender: hyper::client::conn::http1::SendRequest<Full<Bytes>>,
}

impl Browser {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        self.sender.send_request(request).await.unwrap()
    }
}

pub(crate) trait Empty {
    fn empty(self) -> Request<Full<Bytes>>;
}

impl Empty for http::request::Builder {
    fn empty(self) -> Request<Full<Bytes>> {
        self.body(Full::default()).unwrap()
    }
}

pub(crate) async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An app that answers with what a function makes of a request.
pub(crate) fn app<F, A, B>(answer: F) -> App
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Arc::new(move |io| {
        let answer = answer.clone();
        Box::pin(async move {
            let service = service_fn(move |request| {
                let answered = answer(request);
                async move { Ok::<_, Infallible>(answered.await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(io), service)
                .await;
        })
    })
}

/// An app that always says the same.
pub(crate) fn says(text: &'static str) -> App {
    app(move |_| async move { Response::new(Full::new(Bytes::from_static(text.as_bytes()))) })
}

/// An app that is a function of its raw connection.
pub(crate) fn raw_app<F, A>(run: F) -> App
where
    F: Fn(DuplexStream) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    Arc::new(move |io| Box::pin(run(io)))
}

/// Reads the head of a message, up to its empty line.
pub(crate) async fn head<R: tokio::io::AsyncRead + Unpin>(io: &mut R) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Everything until the other side closes.
pub(crate) async fn rest<R: tokio::io::AsyncRead + Unpin>(io: &mut R) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = io.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) async fn write(io: &mut (impl tokio::io::AsyncWrite + Unpin), text: &str) {
    io.write_all(text.as_bytes()).await.unwrap();
}

/// The result of something that must not take long.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long until {what}"),
    }
}
