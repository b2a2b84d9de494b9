//! Record configs as the Live actions read and show them.

use reprise_lifecycle::id::{GroupId, NO_TRANSCODE};
use reprise_lifecycle::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::groups;
use crate::api::error::{self, Error};
use crate::api::params::{Params, commas, one_of};
use crate::api::{Call, times};
use crate::store::record_configs::RecordConfig;

/// The vendor's longest cycle and break window, in seconds.
const MAX_SECONDS: i64 = 21_600;

const DEFAULT_CYCLE_S: i64 = 3600;
const DEFAULT_BREAK_S: i64 = 180;

/// Longest names of applications and streams: one path segment of a push URL.
const MAX_NAME_BYTES: usize = 255;

/// Longest text that is only kept and given back.
const MAX_KEPT_BYTES: usize = 256;

/// The key of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    pub(crate) domain: &'a str,
    pub(crate) app: &'a str,
    /// Empty for every stream of the app.
    pub(crate) stream: &'a str,
}

/// What a rule has beside the fields that recording needs: kept as given and shown again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Extra {
    storage_location: String,
    space_id: String,
    transcode_templates: String,
    record_format: Option<RecordFormat>,
}

/// The one format rule that a config may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RecordFormat {
    format: String,
    group: String,
    slice_s: Option<i64>,
    tags: String,
    /// What the template group processes: `origin` the cycle files, `compose` the merged one, or both.
    #[serde(default = "origin")]
    video_process: String,
}

fn origin() -> String {
    "origin".to_owned()
}

impl RecordFormat {
    /// The group of the cycle files, and that of the merged one.
    fn groups(&self) -> (String, String) {
        let group_of = |which: &str| {
            let processed = commas(&self.video_process).contains(&which);
            if processed { self.group.clone() } else { NO_TRANSCODE.to_owned() }
        };
        (group_of("origin"), group_of("compose"))
    }
}

/// The key that the parameters name, which must lie in the tenant's play domain.
pub(crate) fn key<'a>(call: &'a Call<'_>, params: &'a Params) -> Result<Key<'a>, Error> {
    let domain = params.required("DomainName")?;
    let app = name("AppName", params.required("AppName")?)?;
    let stream = match params.get("StreamName") {
        None | Some("*") => "",
        Some(stream) => name("StreamName", stream)?,
    };
    Ok(Key { domain: own_domain(call, domain)?, app, stream })
}

/// The tenant's play domain, if that is what `domain` is. Host names have no case.
pub(crate) fn own_domain<'a>(call: &'a Call<'_>, domain: &str) -> Result<&'a str, Error> {
    let own = call.tenant.play_domain.as_str();
    if domain.eq_ignore_ascii_case(own) { Ok(own) } else { Err((&error::DOMAIN_NOT_FOUND).into()) }
}

/// A new rule.
pub(crate) async fn added(call: &Call<'_>, params: &Params) -> Result<RecordConfig, Error> {
    let key = key(call, params)?;
    if params.objects("RecordFormat")?.is_empty() {
        params.required("VodTranscodeGroupId")?;
    }
    let config = RecordConfig {
        domain: key.domain.to_owned(),
        app: key.app.to_owned(),
        stream: key.stream.to_owned(),
        group_id: String::new(),
        cycle_s: DEFAULT_CYCLE_S,
        delay_s: DEFAULT_BREAK_S,
        auto_compose: false,
        compose_group_id: None,
        on_demand: 0,
        extra: String::new(),
        created_at: call.now.0,
    };
    let extra = Extra {
        storage_location: params.text("StorageLocation", MAX_KEPT_BYTES)?.unwrap_or_default().to_owned(),
        space_id: params.text("SpaceId", MAX_KEPT_BYTES)?.unwrap_or_default().to_owned(),
        ..Extra::default()
    };
    apply(call, params, config, extra).await
}

/// `old` with the given fields exchanged.
pub(crate) async fn updated(call: &Call<'_>, params: &Params, old: RecordConfig) -> Result<RecordConfig, Error> {
    let extra = extra(&old);
    apply(call, params, old, extra).await
}

/// Puts the given fields in. First everything is judged by the vendor's rules; only a request that the vendor would
/// accept is told that this server does not offer it.
async fn apply(
    call: &Call<'_>,
    params: &Params,
    mut config: RecordConfig,
    mut extra: Extra,
) -> Result<RecordConfig, Error> {
    let settings = &call.context.settings;
    let (least_cycle, least_break) = (i64::from(settings.min_cycle_seconds), i64::from(settings.min_break_seconds));
    config.cycle_s = params.int("CycleDuration", config.cycle_s, least_cycle..=MAX_SECONDS)?;
    config.delay_s = params.int("DelayTime", config.delay_s, least_break..=MAX_SECONDS)?;
    let mut not_offered = Vec::new();

    let on_demand = params.choice("OnDemand", &["0", "1", "2", "7"])?;
    if on_demand.is_some_and(|mode| mode != "0") {
        not_offered.push("OnDemand other than 0: every matching stream is recorded");
    }
    for content in commas(params.get("RecordContent").unwrap_or_default()) {
        if one_of("RecordContent", content, &["raw", "transcode"])? == "transcode" {
            not_offered.push("RecordContent=transcode: live transcoding is not offered");
        }
    }
    let templates = params.list("TranscodeTemplates")?;
    if !templates.is_empty() {
        extra.transcode_templates = templates.join(",");
    }

    match record_format(params, &mut not_offered)? {
        Some((format, auto_compose)) => {
            let (group, compose_group) = format.groups();
            config.group_id = group;
            config.auto_compose = auto_compose;
            config.compose_group_id = auto_compose.then_some(compose_group);
            extra.record_format = Some(format);
        }
        None => {
            if let Some(group) = params.get("VodTranscodeGroupId") {
                config.group_id = group.to_owned();
                extra.record_format = None;
            }
            compose(params, &mut config)?;
        }
    }
    for group in [Some(&config.group_id), config.compose_group_id.as_ref()].into_iter().flatten() {
        groups::check_exists(call, &GroupId::new(group.as_str())).await?;
    }
    if !not_offered.is_empty() {
        return Err(Error::Unsupported(not_offered.join("; ")));
    }
    config.extra = serde_json::to_string(&extra).map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(config)
}

fn compose(params: &Params, config: &mut RecordConfig) -> Result<(), Error> {
    if let Some(group) = params.get("ComposeVodTranscodeGroupId") {
        config.compose_group_id = Some(group.to_owned());
    }
    if let Some(switch) = params.choice("AutoCompose", &["ON", "OFF"])? {
        config.auto_compose = switch == "ON";
    }
    if config.auto_compose && config.compose_group_id.is_none() {
        return Err((&error::MISSING_COMPOSE_GROUP).into());
    }
    Ok(())
}

/// The rule of `RecordFormat.N`, and whether it composes. One rule can be honoured, since a part plays in both
/// containers; several, workflows and FLV cannot.
fn record_format(params: &Params, not_offered: &mut Vec<&str>) -> Result<Option<(RecordFormat, bool)>, Error> {
    let formats = params.objects("RecordFormat")?;
    if formats.len() > 1 {
        not_offered.push("more than one RecordFormat: a part is recorded once and plays in both containers");
    }
    let Some(given) = formats.first() else {
        return Ok(None);
    };
    let format = given.choice("Format", &["m3u8", "mp4", "flv"])?;
    let format = format.ok_or_else(|| Error::invalid(given.name("Format"), "it must be m3u8, mp4 or flv"))?;
    if format == "flv" {
        not_offered.push("RecordFormat flv: recordings play as m3u8 and mp4");
    }
    let slice_s = match given.get("SliceDuration") {
        None => None,
        Some(text) => {
            let seconds = text.parse().ok().filter(|seconds| (5..=30).contains(seconds));
            let wrong = || Error::invalid(given.name("SliceDuration"), "it must be a whole number between 5 and 30");
            Some(seconds.ok_or_else(wrong)?)
        }
    };
    if given.choice("ProcessMethod", &["transcode", "workflow"])? == Some("workflow") {
        not_offered.push("ProcessMethod=workflow: recordings are processed with a template group");
    }
    let processes = commas(given.get("VideoProcess").unwrap_or("origin")).into_iter();
    let processes: Result<Vec<&str>, Error> =
        processes.map(|process| one_of(&given.name("VideoProcess"), process, &["origin", "compose"])).collect();
    let video_process = processes?.join(",");
    let auto_compose = given.choice("AutoCompose", &["ON", "OFF"])? == Some("ON");
    if video_process.contains("compose") && !auto_compose {
        return Err(Error::invalid(given.name("VideoProcess"), "compose needs AutoCompose to be ON"));
    }
    let group = given.get("ProcessTemplateId");
    let group =
        group.ok_or_else(|| Error::invalid(given.name("ProcessTemplateId"), "it must be a template group's id"))?;
    let tags = given.get("Tags").unwrap_or_default();
    if tags.len() > MAX_KEPT_BYTES {
        return Err(Error::invalid(given.name("Tags"), format!("it must be at most {MAX_KEPT_BYTES} bytes")));
    }
    let (format, group, tags) = (format.to_owned(), group.to_owned(), tags.to_owned());
    Ok(Some((RecordFormat { format, group, slice_s, tags, video_process }, auto_compose)))
}

/// A rule as `DescribeLiveRecordVodConfigs` shows it.
pub(crate) fn show(config: &RecordConfig) -> Value {
    let extra = extra(config);
    let formats: Vec<Value> = extra.record_format.iter().map(|format| show_format(format, config)).collect();
    json!({
        "DomainName": config.domain,
        "AppName": config.app,
        "StreamName": config.stream,
        "VodTranscodeGroupId": config.group_id,
        "CycleDuration": config.cycle_s,
        "AutoCompose": if config.auto_compose { "ON" } else { "OFF" },
        "ComposeVodTranscodeGroupId": config.compose_group_id.as_deref().unwrap_or_default(),
        "DelayTime": config.delay_s,
        "OnDemand": config.on_demand,
        "RecordContent": "raw",
        "TranscodeTemplates": extra.transcode_templates,
        "StorageLocation": extra.storage_location,
        "SpaceId": extra.space_id,
        "FormatConfig": !formats.is_empty(),
        "RecordFormatList": { "RecordFormat": formats },
        "CreateTime": times::format(Timestamp(config.created_at)),
    })
}

fn show_format(format: &RecordFormat, config: &RecordConfig) -> Value {
    json!({
        "AutoCompose": if config.auto_compose { "ON" } else { "OFF" },
        "Format": format.format,
        "ProcessMethod": "transcode",
        "ProcessTemplateId": format.group,
        "SliceDuration": format.slice_s.unwrap_or(30),
        "Tags": format.tags,
        "VideoProcess": format.video_process,
    })
}

/// Rules made elsewhere than here have no such text; they have nothing extra.
fn extra(config: &RecordConfig) -> Extra {
    serde_json::from_str(&config.extra).unwrap_or_default()
}

/// A name that can be a path segment of a push URL.
fn name<'a>(param: &str, value: &'a str) -> Result<&'a str, Error> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '?' | '#' | '*');
    if value.len() > MAX_NAME_BYTES || value.contains(bad) {
        let reason = format!("it must be at most {MAX_NAME_BYTES} bytes without blanks and without / ? # *");
        return Err(Error::invalid(param, reason));
    }
    Ok(value)
}
