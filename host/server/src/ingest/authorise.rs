//! May this publisher publish, and how does its recording begin? The push domain names the tenant, its key signs the
//! URL, a record config says what becomes of the stream, and the disk must have room.

use std::net::IpAddr;

use reprise_lifecycle::id::GroupId;
use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::record::{Opening, RecordRules};
use reprise_media::rtmp::{PublishRequest, RefusalCode};
use secrecy::ExposeSecret;

use super::Ingest;
use super::gate::{Mode, NoStart};
use super::publishers::NoEntry;
use crate::clock;
use crate::driver::PublishRefused;
use crate::store::record_configs::RecordConfig;
use crate::store::record_settings::RecordSettings;
use crate::store::tenants::Tenant;
use crate::url_auth;

/// The argument of the push URL that signs it.
const SIGNATURE_ARGUMENT: &str = "auth_key";

/// The argument that says whether a stream is recorded, where its rule leaves that to the URL.
const RECORD_ARGUMENT: &str = "record";

/// Arguments of the push URL that are ours and no policy's business.
const OWN_ARGUMENTS: [&str; 2] = [SIGNATURE_ARGUMENT, "vhost"];

/// Why a publisher is refused, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: RefusalCode,
    pub(super) description: String,
}

impl Refusal {
    fn denied(description: impl Into<String>) -> Self {
        Self { code: RefusalCode::Denied, description: description.into() }
    }

    pub(super) fn failed(description: impl Into<String>) -> Self {
        Self { code: RefusalCode::Failed, description: description.into() }
    }
}

/// A publisher that may publish.
pub(super) struct Admitted {
    pub(super) tenant: Tenant,
    /// What a broadcast of it is born with.
    pub(super) opening: Opening,
    /// How its recording begins.
    pub(super) mode: Mode,
    /// Arguments of its URL without the signature, form-encoded.
    pub(super) arguments: String,
}

/// What a publisher that may publish gets, or why it may not.
pub(super) async fn authorise(ingest: &Ingest, request: &PublishRequest) -> Result<Admitted, Refusal> {
    let domain = push_domain(request)
        .ok_or_else(|| Refusal::denied("no push domain: name one in the URL's host, or add ?vhost=DOMAIN"))?;
    let tenant = ingest.store.tenant_of_push_domain(&domain).await.map_err(unavailable)?;
    let tenant = tenant.ok_or_else(|| Refusal::denied(format!("the push domain {domain} is not known here")))?;
    if tenant.push_auth {
        verify(ingest, &tenant, request).await?;
    }
    let config = ingest
        .store
        .record_config_for(&tenant.name, &tenant.play_domain, &request.app, &request.stream)
        .await
        .map_err(unavailable)?;
    let config = config.ok_or_else(|| {
        Refusal::denied(format!(
            "no record config covers {}/{}: add one with AddLiveRecordVodConfig first, nothing would be recorded",
            request.app, request.stream
        ))
    })?;
    check_disk(ingest)?;
    let settings = ingest.store.record_settings(&tenant.name, &config).await.map_err(unavailable)?;
    let mode = mode(config.on_demand, request)?;
    let opening = opening(&tenant, domain, request, &config, settings);
    Ok(Admitted { tenant, opening, mode, arguments: arguments(request) })
}

/// Whether a stream that was just entered is forbidden. Asked after the entry, so that a ban either is seen here or
/// finds the publisher.
pub(super) async fn check_ban(ingest: &Ingest, tenant: &Tenant, stream: &StreamKey) -> Result<(), Refusal> {
    match ingest.store.banned_until(&tenant.name, stream, clock::now()).await.map_err(unavailable)? {
        Some(until) => {
            let until = crate::api::times::format(until);
            Err(Refusal::denied(format!("the stream is forbidden until {until}")))
        }
        None => Ok(()),
    }
}

impl From<NoEntry> for Refusal {
    fn from(no: NoEntry) -> Self {
        match no {
            NoEntry::AlreadyLive => Self { code: RefusalCode::BadName, description: no.to_string() },
            NoEntry::TooMany => Self::failed(no.to_string()),
        }
    }
}

impl From<NoStart> for Refusal {
    fn from(no: NoStart) -> Self {
        match no {
            NoStart::Driver(PublishRefused::AlreadyLive) => NoEntry::AlreadyLive.into(),
            NoStart::Driver(_) | NoStart::Disk(_) | NoStart::Recorder(_) => Self::failed(no.to_string()),
        }
    }
}

/// How the recording begins under an OnDemand mode.
fn mode(on_demand: i64, request: &PublishRequest) -> Result<Mode, Refusal> {
    match on_demand {
        1 => Ok(Mode::Ask),
        2 => match request.argument(RECORD_ARGUMENT) {
            Some("on") => Ok(Mode::Record),
            None | Some("off") => Ok(Mode::Wait),
            Some(_) => Err(Refusal::denied(format!("the push URL's `{RECORD_ARGUMENT}` must be on or off"))),
        },
        7 => Ok(Mode::Wait),
        _ => Ok(Mode::Record),
    }
}

/// What the receiver of stream notices is told of the URL. The signature stays out: it would let the receiver publish.
fn arguments(request: &PublishRequest) -> String {
    let told = request.query.iter().filter(|(name, _)| name != SIGNATURE_ARGUMENT);
    form_urlencoded::Serializer::new(String::new()).extend_pairs(told).finish()
}

/// The host of the push URL; where that is an address, the `vhost` argument.
fn push_domain(request: &PublishRequest) -> Option<String> {
    let host = request.host().filter(|host| host != "localhost" && host.parse::<IpAddr>().is_err());
    host.or_else(|| request.argument("vhost").map(str::to_ascii_lowercase))
}

async fn verify(ingest: &Ingest, tenant: &Tenant, request: &PublishRequest) -> Result<(), Refusal> {
    let keys = ingest.store.tenant_keys(&tenant.name).await.map_err(unavailable)?;
    let keys = keys.ok_or_else(|| Refusal::denied("the tenant is gone"))?;
    let path = format!("/{}/{}", request.app, request.stream);
    url_auth::verify(
        &path,
        request.argument(SIGNATURE_ARGUMENT),
        &[keys.push_key.expose_secret()],
        tenant.auth_validity_s,
        clock::now().0.div_euclid(1000),
    )
    .map_err(|denied| Refusal::denied(denied.to_string()))
}

fn check_disk(ingest: &Ingest) -> Result<(), Refusal> {
    ingest.disk.check().map_err(|refused| {
        tracing::error!(error = ?refused, "a publisher is refused");
        Refusal::failed(refused.to_string())
    })
}

fn opening(
    tenant: &Tenant,
    domain: String,
    request: &PublishRequest,
    config: &RecordConfig,
    settings: RecordSettings,
) -> Opening {
    let own = |name: &str| OWN_ARGUMENTS.contains(&name);
    Opening {
        tenant: tenant.id(),
        stream: StreamKey { domain, app: request.app.clone(), name: request.stream.clone() },
        play_domain: tenant.play_domain.clone(),
        push_args: request.query.iter().filter(|(name, _)| !own(name)).cloned().collect(),
        rules: rules(config, settings),
    }
}

/// The rules that a record config and what is set beside it make.
pub(super) fn rules(config: &RecordConfig, settings: RecordSettings) -> RecordRules {
    let ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    RecordRules {
        cycle_ms: ms(config.cycle_s),
        break_ms: ms(config.delay_s),
        group: GroupId::new(config.group_id.clone()),
        auto_compose: config.auto_compose,
        compose_group: config.compose_group_id.clone().map(GroupId::new),
        gaps: settings.gaps,
        analyse: settings.analyse,
        retention_days: settings.retention_days,
    }
}

fn unavailable(error: crate::store::Error) -> Refusal {
    tracing::error!(error = %error, "the catalogue cannot be read; a publisher is refused");
    Refusal::failed("the server cannot record now")
}
