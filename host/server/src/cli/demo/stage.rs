//! The demo's tenant, set up through the faces that tenants use.

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};

use super::flow::{Flow, Made};
use super::receiver::Receiver;
use super::step;
use crate::client::rest::{items, push_plugin};
use crate::client::{Rest, Vendor};
use crate::url_auth;

pub(super) const TENANT: &str = "demo";
pub(super) const PLUGIN: &str = "template-by-stream";

/// The version of the vendor's API for recordings, and of the one for videos.
const LIVE: &str = "2016-11-01";
pub(super) const VOD: &str = "2017-03-21";

const PUSH_DOMAIN: &str = "push.demo.example";
const PLAY_DOMAIN: &str = "play.demo.example";
const APP: &str = "live";
const STREAM: &str = "stage-1";

/// The recording cycle of the demo: short, so that something happens soon.
const CYCLE_SECONDS: u32 = 10;

/// What a request by hand carries, and its events bring back.
const EXTEND: &str = r#"{"Extend":{"asked":"by hand"}}"#;

/// A running demo.
pub(super) struct Stage {
    pub(super) api: Rest,
    pub(super) vendor: Vendor,
    pub(super) receiver: Receiver,
    pub(super) http: String,
    rtmp: String,
    push_key: String,
    large: String,
}

impl Stage {
    /// Tenant, template groups, record config, policy, callbacks.
    pub(super) async fn set(
        api: Rest,
        http: String,
        rtmp: String,
        flow: Flow,
        component: Option<&[u8]>,
    ) -> anyhow::Result<Self> {
        let tenant = json!({"name": TENANT, "push_domain": PUSH_DOMAIN, "play_domain": PLAY_DOMAIN});
        let made = api.call(Method::POST, "/v1/tenants", Some(&tenant)).await?;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        step(&format!("tenant    {TENANT} pushes to {PUSH_DOMAIN}, plays from {PLAY_DOMAIN}"));
        let vendor = Vendor::new(&http, &text("access_key_id"), &text("access_key_secret"));
        let small = template_group(&vendor, "small", &[("SD", 640, 500)]).await?;
        let large = template_group(&vendor, "large", &[("SD", 640, 500), ("HD", 854, 900)]).await?;
        step(&format!("templates small {small}, large {large}"));
        record(&vendor, flow, &small, &large).await?;
        if let Some(component) = component {
            let settings = json!({"rules": [{"stream": "stage-*", "min_height": 360, "group": "large"}]}).to_string();
            let version = push_plugin(&api, TENANT, PLUGIN, component, &settings).await?;
            let activate = format!("/v1/tenants/{TENANT}/plugins/{PLUGIN}/activate");
            api.call(Method::POST, &activate, Some(&json!({}))).await?;
            let version = &version["version"];
            step(&format!("policy    {PLUGIN} version {version} is active: streams stage-* get group large"));
        }
        let token = format!("{}.{}", text("access_key_id"), text("access_key_secret"));
        let receiver = Receiver::start(Rest::new(&http, &token)).await?;
        let subscription = [("CallbackType", "HTTP"), ("CallbackURL", receiver.url()), ("EventTypeList", "ALL")];
        vendor.call(VOD, "SetMessageCallback", &subscription).await?;
        step(&format!("callbacks go to {}", receiver.url()));
        Ok(Self { api, vendor, receiver, http, rtmp, push_key: text("push_key"), large })
    }

    /// Where the encoder pushes to, signed now.
    pub(super) fn push_url(&self) -> String {
        let now = crate::clock::now().0 / 1000;
        let key = url_auth::sign(&format!("/{APP}/{STREAM}"), url_auth::Terms::at(now), &self.push_key);
        format!("rtmp://{}/{APP}/{STREAM}?vhost={PUSH_DOMAIN}&auth_key={key}", self.rtmp)
    }

    /// A listing of the tenant's.
    pub(super) async fn list(&self, what: &str) -> anyhow::Result<Vec<Value>> {
        Ok(items(&self.api.call(Method::GET, &format!("/v1/tenants/{TENANT}/{what}"), None).await?))
    }

    /// Asks for the large group, for each video that the flow leaves to the hand.
    pub(super) async fn transcode(&self, flow: Flow) -> anyhow::Result<()> {
        for video in self.list("videos?limit=1000").await?.iter().rev().map(made).filter(|it| flow.wants_by_hand(it)) {
            let request = [
                ("VideoId", video.id.as_str()),
                ("TemplateGroupId", &self.large),
                ("Priority", "8"),
                ("UserData", EXTEND),
            ];
            let submitted = self.vendor.call(VOD, "SubmitTranscodeJobs", &request).await?;
            let task = submitted["TranscodeTaskId"].as_str().context("no task in the answer")?;
            step(&format!("by hand   group large for {}: task {task}", video.id.chars().take(8).collect::<String>()));
        }
        Ok(())
    }
}

/// A video of a listing.
pub(super) fn made(video: &Value) -> Made {
    Made { id: video["id"].as_str().unwrap_or_default().to_owned(), is_composed: video["part"].is_null() }
}

async fn record(vendor: &Vendor, flow: Flow, small: &str, large: &str) -> anyhow::Result<()> {
    let (cycle, delay) = (CYCLE_SECONDS.to_string(), flow.break_seconds().to_string());
    let mut rule = vec![
        ("DomainName", PLAY_DOMAIN),
        ("AppName", APP),
        ("VodTranscodeGroupId", flow.part_group(small)),
        ("CycleDuration", &cycle),
        ("DelayTime", &delay),
    ];
    let whole = flow.compose_group(large);
    if let Some(group) = whole {
        rule.extend([("AutoCompose", "ON"), ("ComposeVodTranscodeGroupId", group)]);
    }
    vendor.call(LIVE, "AddLiveRecordVodConfig", &rule).await?;
    let name = |group: &str| {
        if group == small {
            "small"
        } else if group == large {
            "large"
        } else {
            "store only"
        }
    };
    let part = name(flow.part_group(small));
    let unless = if flow.has_policy() { " unless the policy says otherwise" } else { "" };
    let whole = whole.map(|group| format!("; the whole is composed, group {}", name(group))).unwrap_or_default();
    step(&format!("recording {APP}/*: parts of {CYCLE_SECONDS} s, group {part}{unless}{whole}"));
    Ok(())
}

/// Makes a template group with one HLS template for each (definition, width, kbit/s).
async fn template_group(vendor: &Vendor, name: &str, templates: &[(&str, u32, u32)]) -> anyhow::Result<String> {
    let template = |(definition, width, kbps): &(&str, u32, u32)| {
        json!({
            "TemplateName": format!("hls-{}", definition.to_lowercase()),
            "Definition": definition,
            "Container": {"Format": "m3u8"},
            "Video": {"Codec": "H.264", "Width": width.to_string(), "Bitrate": kbps.to_string(), "Preset": "veryfast"},
            "Audio": {"Codec": "AAC", "Bitrate": "64", "Samplerate": "44100"},
            "MuxConfig": {"Segment": {"Duration": "4"}},
        })
    };
    let list = Value::Array(templates.iter().map(template).collect()).to_string();
    let parameters = [("Name", name), ("TranscodeTemplateList", list.as_str())];
    let made = vendor.call(VOD, "AddTranscodeTemplateGroup", &parameters).await?;
    Ok(made["TranscodeTemplateGroupId"].as_str().context("no template group id in the answer")?.to_owned())
}
