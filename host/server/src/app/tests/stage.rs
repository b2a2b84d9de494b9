//! A running server with one tenant, and an encoder that says what a test wants.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::id::BroadcastId;
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::Record;
use reprise_media::rtmp::message::{id, user_control};
use reprise_media::rtmp::testkit::{Replies, Reply, Script};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock;
use crate::config::Config;
use crate::disk::FreeSpace;
use crate::driver::Handle;
use crate::files::Files;
use crate::ingest::control::Control;
use crate::store::Store;
use crate::store::record_configs::RecordConfig;
use crate::store::tenants::{NewTenant, Tenant, TenantKeys};

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(40);

/// Between two looks at something that rings no bell.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) const PUSH: &str = "push.acme.example";
pub(super) const PLAY: &str = "play.acme.example";

/// Length of the clip in milliseconds; a keyframe each second.
pub(super) const CLIP_MS: u32 = 6_000;

/// The running server.
pub(super) struct Stage {
    config: Config,
    data: PathBuf,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    rtmp: std::net::SocketAddr,
    pub(super) http: std::net::SocketAddr,
    pub(super) store: Store,
    pub(super) driver: Handle,
    pub(super) control: Control,
    _dir: Option<tempfile::TempDir>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with("", super::super::free_space).await
    }

    pub(super) async fn with(over: &str, free: impl FnOnce(&Arc<Files>) -> FreeSpace) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Self::at(data, over, free, Some(dir)).await
    }

    pub(super) async fn at(
        data: PathBuf,
        over: &str,
        free: impl FnOnce(&Arc<Files>) -> FreeSpace,
        dir: Option<tempfile::TempDir>,
    ) -> Self {
        let base = "http = \"127.0.0.1:0\"\nrtmp = \"127.0.0.1:0\"\n[callbacks]\nallow_private = [\"127.0.0.0/8\"]\n\
                    timeout_ms = 1000\n[limits]\nmin_cycle_seconds = 1\nmin_break_seconds = 1\n";
        let mut config = Config::parse(&format!("{base}{over}")).unwrap();
        config.data = data.clone();
        let (app, stop) = load(&config, free).await;
        let mut stage = Self {
            rtmp: app.rtmp(),
            http: app.http(),
            store: app.store.clone(),
            driver: app.ingest.driver.clone(),
            control: control(&app),
            config,
            data,
            running: None,
            _dir: dir,
        };
        stage.make_tenant().await;
        stage.running = Some((stop, tokio::spawn(app.run())));
        stage
    }

    async fn make_tenant(&self) {
        let secret = |what: &str| SecretString::from(what);
        let tenant = NewTenant {
            name: "acme".to_owned(),
            push_domain: PUSH.to_owned(),
            play_domain: PLAY.to_owned(),
            push_auth: false,
            keys: TenantKeys { push_key: secret("p"), play_key: secret("l"), webhook_secret: secret("w") },
            access_key_id: "AKacme".to_owned(),
            access_key_secret: secret("s"),
        };
        self.store.create_tenant(&tenant, clock::now()).await.unwrap();
    }

    /// Asks the server to stop and waits until it has.
    pub(super) async fn stop(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.cancel();
        tokio::time::timeout(PATIENCE, task).await.expect("the server stops").unwrap();
    }

    /// Starts it again on the same data.
    pub(super) async fn start(&mut self) {
        let (app, stop) = load(&self.config, super::super::free_space).await;
        (self.rtmp, self.http) = (app.rtmp(), app.http());
        (self.store, self.driver, self.control) = (app.store.clone(), app.ingest.driver.clone(), control(&app));
        self.running = Some((stop, tokio::spawn(app.run())));
    }

    pub(super) async fn tenant(&self) -> Tenant {
        self.store.tenant("acme").await.unwrap().unwrap()
    }

    /// A rule for all streams: store only, a long cycle.
    pub(super) async fn rule(&self, on_demand: i64, break_s: i64) {
        let config = RecordConfig {
            domain: PLAY.to_owned(),
            app: "studio".to_owned(),
            stream: String::new(),
            group_id: "VOD_NO_TRANSCODE".to_owned(),
            cycle_s: 3600,
            delay_s: break_s,
            auto_compose: false,
            compose_group_id: None,
            on_demand,
            extra: "{}".to_owned(),
            created_at: clock::now().0,
        };
        assert!(self.store.add_record_config("acme", &config).await.unwrap());
    }

    pub(super) fn media(&self) -> PathBuf {
        self.data.join("media")
    }

    /// A connected encoder that asks for a stream; a query may follow the name.
    pub(super) async fn encoder(&self, stream: &str) -> Encoder {
        Encoder::connect(self.rtmp, stream).await
    }

    /// All records of a broadcast.
    pub(super) async fn journal(&self, id: &BroadcastId) -> Vec<Record> {
        self.store.journal(id).await.unwrap()
    }

    /// The broadcast, once it is as wanted.
    pub(super) async fn wait_for(&self, id: &BroadcastId, wanted: impl Fn(&Broadcast) -> bool) -> Broadcast {
        eventually(async || {
            let folded = Broadcast::fold(id.clone(), &self.journal(id).await).unwrap().unwrap();
            wanted(&folded).then_some(folded)
        })
        .await
    }

    /// The broadcast that a stream's media goes to, once it does.
    pub(super) async fn recorded(&self, name: &str) -> BroadcastId {
        eventually(async || {
            let publisher = self.control.publishers().publisher(&key(name))?;
            publisher.recording().map(|(broadcast, _)| broadcast)
        })
        .await
    }

    /// Ids of all broadcasts, oldest first.
    pub(super) async fn broadcasts(&self) -> Vec<String> {
        let mut rows = self.store.broadcasts("acme", false, 100).await.unwrap();
        rows.reverse();
        rows.into_iter().map(|row| row.id).collect()
    }
}

async fn load(config: &Config, free: impl FnOnce(&Arc<Files>) -> FreeSpace) -> (App, CancellationToken) {
    let stop = CancellationToken::new();
    (App::load_on(config, stop.clone(), free).await.unwrap(), stop)
}

fn control(app: &App) -> Control {
    let ingest = &app.ingest;
    Control::new(Arc::clone(&ingest.publishers), ingest.driver.clone(), app.store.clone())
}

pub(super) fn key(name: &str) -> StreamKey {
    StreamKey { domain: PUSH.to_owned(), app: "studio".to_owned(), name: name.to_owned() }
}

/// Asks until there is an answer.
pub(super) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("it comes to be in time")
}

/// One tag of the clip.
struct Tag {
    video: bool,
    at_ms: u32,
    header: bool,
    body: Vec<u8>,
}

/// Six seconds of a moving picture with a tone, as FLV tags; made once.
fn clip() -> &'static [Tag] {
    static CLIP: OnceLock<Vec<Tag>> = OnceLock::new();
    CLIP.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let flv = encode(dir.path());
        let mut tags = Vec::new();
        let mut rest = &flv[13..];
        while rest.len() >= 11 {
            let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
            let at_ms = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
            let body = rest[11..][..size].to_vec();
            if matches!(rest[0], 8 | 9) {
                tags.push(Tag { video: rest[0] == 9, at_ms, header: body[1] == 0, body });
            }
            rest = &rest[11 + size + 4..];
        }
        tags
    })
}

fn encode(dir: &Path) -> Vec<u8> {
    let arguments = "-v error -f lavfi -i testsrc=size=160x120:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 \
                     -t 6 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 -keyint_min 25 -sc_threshold 0 \
                     -c:a aac -b:a 64k -y clip.flv";
    let output = Command::new("ffmpeg").current_dir(dir).args(arguments.split_whitespace()).output();
    let output = output.expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(dir.join("clip.flv")).unwrap()
}

/// An encoder.
pub(super) struct Encoder {
    socket: TcpStream,
    replies: Replies,
    codes: Vec<String>,
    pings: u32,
    pongs: Vec<u32>,
}

impl Encoder {
    async fn connect(rtmp: std::net::SocketAddr, stream: &str) -> Self {
        let mut socket = TcpStream::connect(rtmp).await.unwrap();
        let script = Script::new().handshake().connect("studio", &format!("rtmp://{PUSH}/studio"));
        let script = script.create_stream().publish(stream).set_chunk_size(1 << 16);
        socket.write_all(&script.bytes()).await.unwrap();
        let (codes, pongs) = (Vec::new(), Vec::new());
        let mut encoder = Self { socket, replies: Replies::new(), codes, pings: 0, pongs };
        let answered = |encoder: &Self| encoder.codes.iter().any(|code| code.starts_with("NetStream.Publish"));
        encoder.read_until(answered).await;
        encoder
    }

    /// The answer to its publish.
    pub(super) fn answer(&self) -> &str {
        self.codes.iter().find(|code| code.starts_with("NetStream.Publish")).unwrap()
    }

    /// Whether it may send.
    pub(super) fn is_accepted(&self) -> bool {
        self.answer() == "NetStream.Publish.Start"
    }

    async fn read_until(&mut self, enough: impl Fn(&Self) -> bool) {
        let read = async {
            let mut buffer = [0; 4096];
            while !enough(self) {
                let read = self.socket.read(&mut buffer).await.unwrap_or(0);
                if read == 0 {
                    return;
                }
                for reply in self.replies.read(&buffer[..read]) {
                    match &reply {
                        Reply::Command { .. } if !reply.code().is_empty() => self.codes.push(reply.code().to_owned()),
                        Reply::Other(message) if message.header.type_id == id::USER_CONTROL => {
                            let said = user_control::parse(&message.payload);
                            self.pongs
                                .extend(said.filter(|(event, _)| *event == user_control::PING_RESPONSE).map(|s| s.1));
                        }
                        Reply::Command { .. } | Reply::Other(_) => {}
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the server answers or closes");
    }

    /// Reads until the server closes, and gives its last word.
    pub(super) async fn let_go(mut self) -> String {
        self.read_until(|_| false).await;
        self.codes.pop().unwrap_or_default()
    }

    /// Sends the codec headers.
    pub(super) async fn headers(&mut self) {
        for tag in clip().iter().filter(|tag| tag.header) {
            self.send(tag.video, tag.at_ms, &tag.body).await;
        }
    }

    /// Sends the clip's media between two times.
    pub(super) async fn media(&mut self, from_ms: u32, to_ms: u32) {
        for tag in clip().iter().filter(|tag| !tag.header && (from_ms..to_ms).contains(&tag.at_ms)) {
            self.send(tag.video, tag.at_ms, &tag.body).await;
        }
        self.catch_up().await;
    }

    /// Waits until the server has taken in what was sent: it answers a ping after that.
    async fn catch_up(&mut self) {
        self.pings += 1;
        let ping = user_control::body(user_control::PING_REQUEST, self.pings);
        let script = Script::new().set_chunk_size(1 << 16).control(id::USER_CONTROL, &ping);
        let pings = self.pings;
        if self.socket.write_all(&script.bytes()).await.is_ok() {
            self.read_until(|encoder| encoder.pongs.contains(&pings)).await;
        }
    }

    /// Sends the headers and the clip up to a time.
    pub(super) async fn push(&mut self, to_ms: u32) {
        self.headers().await;
        self.media(0, to_ms).await;
    }

    /// Sends one message. A server that closed meanwhile is met again when its word is read.
    pub(super) async fn send(&mut self, video: bool, at_ms: u32, body: &[u8]) -> bool {
        let script = Script::new().set_chunk_size(1 << 16);
        let script = if video { script.video(at_ms, body) } else { script.audio(at_ms, body) };
        self.socket.write_all(&script.bytes()).await.is_ok()
    }

    /// Ends the connection without a word.
    pub(super) async fn drop_connection(mut self) {
        let _ = self.socket.shutdown().await;
    }
}
