//! A catalogue, a data folder and the policies of a server, with a tenant.

use std::path::PathBuf;
use std::sync::Arc;

use reprise::config::Config;
use reprise::files::Files;
use reprise::policies::{Activation, Chained, Policies, Push, Pushed};
use reprise::store::Store;
use reprise::store::bindings::Binding;
use reprise::store::deliveries::Shaped;
use reprise::store::plugins::PluginVersion;
use reprise::store::seal::Seal;
use reprise::store::tenants::{NewTenant, TenantKeys};
use reprise_lifecycle::decision::{FailureKind, Verdict};
use reprise_lifecycle::question::{CallbackQuestion, StreamKey};
use reprise_lifecycle::time::Timestamp;
use secrecy::SecretString;

pub(crate) struct Stage {
    pub(crate) policies: Arc<Policies>,
    pub(crate) store: Store,
    pub(crate) files: Arc<Files>,
    config: Config,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// The configuration is the default one with `config` laid over it.
    pub(crate) async fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(dir.path()).unwrap());
        let store = Store::open(&files.catalogue(), Seal::from_key([7; 32])).await.unwrap();
        let config = Config::parse(config).unwrap();
        let policies = Arc::new(policies(&config, &store, &files));
        let stage = Self { policies, store, files, config, _dir: dir };
        stage.tenant("acme").await;
        stage
    }

    pub(crate) async fn tenant(&self, name: &str) {
        let secret = || SecretString::from("hush");
        let new = NewTenant {
            name: name.to_owned(),
            push_domain: format!("push.{name}"),
            play_domain: format!("play.{name}"),
            push_auth: true,
            keys: TenantKeys { push_key: secret(), play_key: secret(), webhook_secret: secret() },
            access_key_id: format!("AK{name}"),
            access_key_secret: secret(),
        };
        self.store.create_tenant(&new, Timestamp(0)).await.unwrap();
    }

    /// As after a restart: nothing in memory but what the catalogue says.
    pub(crate) async fn restarted(&self) -> Arc<Policies> {
        let policies = policies(&self.config, &self.store, &self.files);
        policies.refresh().await.unwrap();
        Arc::new(policies)
    }

    pub(crate) async fn push(&self, tenant: &str, plugin: &str, component: Vec<u8>, settings: &str) -> PluginVersion {
        let push = Push {
            plugin: plugin.to_owned(),
            component: Pushed::Bytes(component),
            settings: Some(settings.to_owned()),
            signature: None,
            actor: "admin".to_owned(),
        };
        self.policies.push(tenant, push).await.unwrap()
    }

    pub(crate) async fn activate(&self, tenant: &str, plugin: &str, activation: Activation) -> Binding {
        self.policies.activate(tenant, plugin, activation, "admin").await.unwrap()
    }

    /// Asks the tenant's callback policies about an event of a stream.
    pub(crate) async fn event(&self, tenant: &str, stream: &str) -> Chained {
        event(&self.policies, tenant, stream).await
    }
}

fn policies(config: &Config, store: &Store, files: &Arc<Files>) -> Policies {
    let policies = Policies::new(&config.policies, store.clone(), Arc::clone(files), [9; 32]).unwrap();
    policies.with_compiler(PathBuf::from(env!("CARGO_BIN_EXE_reprise")))
}

pub(crate) fn question(tenant: &str, stream: &StreamKey) -> CallbackQuestion {
    CallbackQuestion {
        tenant: tenant.to_owned(),
        stream: Some(stream.clone()),
        play_domain: None,
        event_id: "evt_1".to_owned(),
        event_type: "FileUploadComplete".to_owned(),
        url: "https://hooks.example/in".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: "{}".to_owned(),
    }
}

pub(crate) fn stream_of(tenant: &str, name: &str) -> StreamKey {
    StreamKey { domain: format!("push.{tenant}"), app: "live".to_owned(), name: name.to_owned() }
}

pub(crate) async fn event(policies: &Arc<Policies>, tenant: &str, stream: &str) -> Chained {
    let stream = stream_of(tenant, stream);
    policies.callback(question(tenant, &stream), Some(&stream)).await
}

/// The body that is sent, if any.
pub(crate) fn sent(chained: &Chained) -> Option<&str> {
    match &chained.outcome {
        Shaped::Send { body, .. } => Some(body),
        Shaped::Drop => None,
    }
}

/// The headers that are added, as JSON.
pub(crate) fn headers(chained: &Chained) -> &str {
    match &chained.outcome {
        Shaped::Send { headers, .. } => headers,
        Shaped::Drop => "",
    }
}

/// How each step failed, if it did.
pub(crate) fn failures(chained: &Chained) -> Vec<Option<FailureKind>> {
    let verdicts = chained.steps.iter().map(|(_, decision)| &decision.verdict);
    verdicts
        .map(|verdict| match verdict {
            Verdict::Failed(failure) => Some(failure.kind),
            Verdict::Answered(_) | Verdict::NoPolicy => None,
        })
        .collect()
}
