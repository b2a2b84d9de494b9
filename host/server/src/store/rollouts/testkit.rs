//! Plugins and recorded decisions in bulk, for tests of what follows and asks them again.

use reprise_lifecycle::decision::{Applied, Decision, Provenance, Verdict};
use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_lifecycle::question::{
    Answer, Hook, Origin, PartSummary, Question, StreamKey, TemplateGroupAnswer, TemplateGroupQuestion,
};
use reprise_lifecycle::time::Timestamp;
use sha2::{Digest, Sha256};

use super::super::Store;
use super::super::decisions::{Place, write_one};

/// The digest that version `number` of a test plugin has.
pub(crate) fn digest(number: i64) -> String {
    format!("{number:064x}")
}

/// The stream of question `number`.
pub(crate) fn stream(number: u32) -> StreamKey {
    StreamKey { domain: "push.acme.example".to_owned(), app: "live".to_owned(), name: format!("cam{number}") }
}

/// Question `number`: about a stream of its own.
pub(crate) fn question(number: u32) -> Question {
    let part = PartSummary {
        index: number,
        video_id: VideoId::new(format!("v{number}")),
        started_at: Timestamp(0),
        ended_at: Timestamp(10_000),
        first_ms: 0,
        duration_ms: 10_000,
        bytes: 1000,
        bitrate_kbps: 1,
        gap_ms: 0,
        video: None,
        audio: None,
        facts: None,
    };
    Question::TemplateGroup(TemplateGroupQuestion {
        origin: Origin {
            tenant: "acme".to_owned(),
            stream: stream(number),
            play_domain: "play.acme.example".to_owned(),
            push_args: Vec::new(),
            broadcast: BroadcastId::new("b0"),
            broadcast_started_at: Timestamp(0),
            reconnects: 0,
        },
        part,
        default_group: "sd".to_owned(),
        groups: Vec::new(),
    })
}

/// The number of a question made by [`question`].
pub(crate) fn number(question: &Question) -> u32 {
    match question {
        Question::TemplateGroup(question) => question.part.index,
        other => panic!("{other:?}"),
    }
}

/// The verdict that names a group.
pub(crate) fn group(name: &str) -> Verdict {
    Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::Group(name.to_owned())))
}

/// The decision on question `number` with this verdict, by a version of `groups` and its first settings.
pub(crate) fn decision(number: u32, version: i64, verdict: Verdict, rollout: Option<i64>) -> Decision {
    let text = serde_json::to_string(&question(number)).unwrap();
    Decision {
        hook: Hook::TemplateGroup,
        question_digest: hex::encode(Sha256::digest(text)),
        verdict,
        applied: Applied::Answer,
        provenance: Some(Box::new(Provenance {
            plugin: "groups".to_owned(),
            version: u32::try_from(version).unwrap(),
            digest: digest(version),
            interface: "reprise:policy@0.2.0".to_owned(),
            settings_revision: 1,
            fuel: 1000,
            elapsed_us: 100,
            log: Vec::new(),
            binding: Some("default".to_owned()),
            rollout,
            reason: None,
            code: None,
            state_revision: None,
            writes: Vec::new(),
            granted: None,
        })),
    }
}

impl Store {
    /// A plugin `groups` with so many versions and one revision of settings; the first is bound.
    pub(crate) async fn test_plugin(&self, tenant: &str, versions: i64) {
        let statements = [
            "INSERT INTO plugins (tenant, name, created_at) VALUES (?1, 'groups', 0)".to_owned(),
            "INSERT INTO plugin_settings (tenant, plugin, revision, settings, created_at, created_by) \
             VALUES (?1, 'groups', 1, '{}', 0, 'admin')"
                .to_owned(),
        ];
        let version = |number: i64| {
            format!(
                "INSERT INTO plugin_versions (tenant, plugin, version, digest, bytes, interface, hooks, settings, \
                 revision, pushed_at) VALUES (?1, 'groups', {number}, '{}', 1, 'reprise:policy@0.2.0', \
                 'template-group', '{{}}', 1, 0)",
                digest(number)
            )
        };
        for statement in statements.into_iter().chain((1..=versions).map(version)) {
            sqlx::query(sqlx::AssertSqlSafe(statement)).bind(tenant).execute(&self.writer).await.unwrap();
        }
        self.test_bind(tenant, 1).await;
    }

    /// Makes a version of `groups` the active one.
    pub(crate) async fn test_bind(&self, tenant: &str, version: i64) {
        sqlx::query(
            "INSERT INTO bindings (tenant, plugin, name, version, settings_revision, activated_at, activated_by) \
             VALUES (?1, 'groups', 'default', ?2, 1, 0, 'admin') \
             ON CONFLICT (tenant, plugin, name) DO UPDATE SET version = ?2",
        )
        .bind(tenant)
        .bind(version)
        .execute(&self.writer)
        .await
        .unwrap();
    }

    /// Records decisions on the questions of these numbers, in one transaction. Each is made at the time given with it.
    pub(crate) async fn test_decide(&self, tenant: &str, decisions: &[(u32, Decision, i64)]) {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        for (number, decision, at) in decisions {
            let (stream, text) = (stream(*number), serde_json::to_string(&question(*number)).unwrap());
            let place = Place { tenant, app: &stream.app, stream: &stream.name, ..Place::default() };
            write_one(&mut transaction, &place, &text, decision, *at).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
}
