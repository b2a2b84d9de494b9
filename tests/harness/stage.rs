//! A tenant, set up through the faces that tenants use, and what tests ask about it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use http::Method;
use reprise::client::{Rest, Vendor};
use reprise::url_auth;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::server::Server;
use crate::{events, eventually};

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
    calls: Mutex<Vec<String>>,
}

/// When the parts of a broadcast are cut, and what becomes of them.
#[derive(Clone, Copy, Debug)]
pub struct Recording<'a> {
    /// The group of each part.
    pub group: &'a str,
    /// The group of the composed video; without it nothing is composed.
    pub compose: Option<&'a str>,
    /// The recording cycle.
    pub cycle_s: u32,
    /// The break window.
    pub break_s: u32,
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
            calls: Mutex::default(),
        })
    }

    /// Calls an action of the vendor's API and notes that it was called.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn call(&self, version: &str, action: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let answer = self.vendor.call(version, action, parameters).await?;
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.last().is_none_or(|last| last != action) {
            calls.push(action.to_owned());
        }
        Ok(answer)
    }

    /// The actions that were called well, in order; one called again and again is there once.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        let made = self.call(VOD, "AddTranscodeTemplateGroup", &parameters).await?;
        Ok(made["TranscodeTemplateGroupId"].as_str().context("no group id")?.to_owned())
    }

    /// Records every stream of an app.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn record(&self, app: &str, group: &str, cycle_s: u32, break_s: u32) -> anyhow::Result<()> {
        self.recording(app, Recording { group, compose: None, cycle_s, break_s }).await
    }

    /// Records every stream of an app, and composes.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn recording(&self, app: &str, recording: Recording<'_>) -> anyhow::Result<()> {
        let (cycle, delay) = (recording.cycle_s.to_string(), recording.break_s.to_string());
        let mut parameters = vec![
            ("DomainName", self.play_domain.as_str()),
            ("AppName", app),
            ("VodTranscodeGroupId", recording.group),
            ("CycleDuration", &cycle),
            ("DelayTime", &delay),
        ];
        if let Some(group) = recording.compose {
            parameters.extend([("AutoCompose", "ON"), ("ComposeVodTranscodeGroupId", group)]);
        }
        self.call(LIVE, "AddLiveRecordVodConfig", &parameters).await.map(drop)
    }

    /// Sends all events to a receiver.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn callbacks(&self, url: &str) -> anyhow::Result<()> {
        let parameters = [("CallbackType", "HTTP"), ("CallbackURL", url), ("EventTypeList", "ALL")];
        self.call(VOD, "SetMessageCallback", &parameters).await.map(drop)
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
    /// Waits until nothing more happens and a receiver has every event, and gives the events, each once. Each is a
    /// success with exactly its fields.
    ///
    /// # Errors
    /// When an event does not come, or is not as it must be.
    pub async fn told(&self, receiver: &Receiver) -> anyhow::Result<Vec<Value>> {
        self.settled().await?;
        let listed = self.list("events?limit=1000").await?;
        let ids: BTreeSet<&str> = listed.iter().filter_map(|event| event["id"].as_str()).collect();
        eventually("every event", async || {
            let arrived: BTreeSet<String> = receiver.received().iter().map(|one| one.id()).collect();
            Ok(ids.iter().all(|id| arrived.contains(*id)).then_some(()))
        })
        .await?;
        let told = events::told(receiver);
        told.iter().try_for_each(events::check)?;
        Ok(told)
    }

    /// A broadcast in full.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn broadcast(&self, id: &str) -> anyhow::Result<Value> {
        self.admin.call(Method::GET, &format!("/v1/tenants/{}/broadcasts/{id}", self.name), None).await
    }

    /// The broadcasts of a stream, newest first.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn broadcasts_of(&self, stream: &str) -> anyhow::Result<Vec<Value>> {
        let mut broadcasts = self.list("broadcasts?limit=1000").await?;
        broadcasts.retain(|broadcast| broadcast["stream"]["name"] == stream);
        Ok(broadcasts)
    }

    /// Waits until the publisher of a stream is there (`live`) or gone (`broken`, `over`), and gives the newest
    /// broadcast.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn publishing(&self, stream: &str, word: &str) -> anyhow::Result<Value> {
        eventually(&format!("{stream} to be {word}"), async || {
            let newest = self.broadcasts_of(stream).await?.into_iter().next();
            Ok(newest.filter(|broadcast| broadcast["publishing"] == word))
        })
        .await
    }
}
