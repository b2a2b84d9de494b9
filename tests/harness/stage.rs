//! A tenant, set up through the faces that tenants use, and what tests ask about it.

use anyhow::Context as _;
use http::Method;
use reprise::client::{Rest, Vendor};
use reprise::url_auth;
use serde_json::{Value, json};

use crate::eventually;
use crate::server::Server;

/// The Live API's version.
pub const LIVE: &str = "2016-11-01";
/// The VOD API's version.
pub const VOD: &str = "2017-03-21";

/// A tenant of a server.
#[derive(Debug)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its play domain.
    pub play_domain: String,
    /// Its push domain.
    pub push_domain: String,
    /// Its access key.
    pub access_key: (String, String),
    push_key: String,
    http: String,
    rtmp: String,
    /// The admin's client.
    pub admin: Rest,
    /// The vendor's API with the tenant's key.
    pub vendor: Vendor,
}

/// A template as the vendor's API takes it.
pub fn template(definition: &str, format: &str, width: u32, kbps: u32) -> Value {
    json!({
        "TemplateName": format!("t-{definition}-{format}"),
        "Definition": definition,
        "Container": {"Format": format},
        "Video": {"Codec": "H.264", "Width": width.to_string(), "Bitrate": kbps.to_string(), "Preset": "veryfast"},
        "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
        "MuxConfig": {"Segment": {"Duration": "2"}},
    })
}

impl Stage {
    /// Makes a tenant.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn new(server: &Server, name: &str) -> anyhow::Result<Self> {
        let admin = server.admin()?;
        let (push_domain, play_domain) = (format!("push.{name}.example"), format!("play.{name}.example"));
        let body = json!({"name": name, "push_domain": push_domain, "play_domain": play_domain});
        let made = admin.call(Method::POST, "/v1/tenants", Some(&body)).await?;
        let text = |field: &str| made[field].as_str().map(str::to_owned).with_context(|| format!("no {field}"));
        let access_key = (text("access_key_id")?, text("access_key_secret")?);
        let vendor = Vendor::new(&format!("http://{}", server.http), &access_key.0, &access_key.1);
        Ok(Self {
            name: name.to_owned(),
            play_domain,
            push_domain,
            push_key: text("push_key")?,
            access_key,
            http: server.http.clone(),
            rtmp: server.rtmp.clone(),
            admin,
            vendor,
        })
    }

    /// A signed push URL.
    pub fn push_url(&self, app: &str, stream: &str) -> String {
        let now = reprise::clock::now().0 / 1000;
        let key = url_auth::sign(&format!("/{app}/{stream}"), url_auth::Terms::at(now), &self.push_key);
        format!("rtmp://{}/{app}/{stream}?vhost={}&auth_key={key}", self.rtmp, self.push_domain)
    }

    /// The URL of a file under `/media`.
    pub fn media_url(&self, video: &str, file: &str) -> String {
        format!("http://{}/media/{video}/{file}", self.http)
    }

    /// Makes a template group.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn group(&self, name: &str, templates: &[Value]) -> anyhow::Result<String> {
        let list = Value::Array(templates.to_vec()).to_string();
        let parameters = [("Name", name), ("TranscodeTemplateList", list.as_str())];
        let made = self.vendor.call(VOD, "AddTranscodeTemplateGroup", &parameters).await?;
        Ok(made["TranscodeTemplateGroupId"].as_str().context("no group id")?.to_owned())
    }

    /// Records every stream of an app.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn record(&self, app: &str, group: &str, cycle_s: u32, break_s: u32) -> anyhow::Result<()> {
        let (cycle, delay) = (cycle_s.to_string(), break_s.to_string());
        let parameters = [
            ("DomainName", self.play_domain.as_str()),
            ("AppName", app),
            ("VodTranscodeGroupId", group),
            ("CycleDuration", &cycle),
            ("DelayTime", &delay),
        ];
        self.vendor.call(LIVE, "AddLiveRecordVodConfig", &parameters).await.map(drop)
    }

    /// Sends all events to a receiver.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn callbacks(&self, url: &str) -> anyhow::Result<()> {
        let parameters = [("CallbackType", "HTTP"), ("CallbackURL", url), ("EventTypeList", "ALL")];
        self.vendor.call(VOD, "SetMessageCallback", &parameters).await.map(drop)
    }

    /// Pushes a plugin and activates it for streams that match.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn plugin(&self, name: &str, component: &[u8], settings: &Value, stream: &str) -> anyhow::Result<Value> {
        let base = format!("/v1/tenants/{}/plugins/{name}", self.name);
        let pushed =
            reprise::client::rest::push_plugin(&self.admin, &self.name, name, component, &settings.to_string()).await?;
        let activation = json!({"stream": stream});
        self.admin.call(Method::POST, &format!("{base}/activate"), Some(&activation)).await?;
        Ok(pushed)
    }

    /// A listing of this tenant's, for example `videos` or `events`.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn list(&self, what: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.admin.call(Method::GET, &format!("/v1/tenants/{}/{what}", self.name), None).await?;
        Ok(reprise::client::rest::items(&answer))
    }

    /// Videos, oldest first.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn videos(&self) -> anyhow::Result<Vec<Value>> {
        let mut videos = self.list("videos?limit=1000").await?;
        videos.reverse();
        Ok(videos)
    }

    /// Waits until every broadcast is over and nothing more happens, and gives the videos.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn settled(&self) -> anyhow::Result<Vec<Value>> {
        eventually("all broadcasts to settle", async || {
            let broadcasts = self.list("broadcasts?limit=1000").await?;
            let settled = !broadcasts.is_empty() && broadcasts.iter().all(|broadcast| broadcast["settled"] == true);
            Ok(settled.then_some(()))
        })
        .await?;
        self.videos().await
    }
}
