//! What a record config says beyond the vendor's fields: how long videos are kept, what stands in for gaps, whether
//! parts are analysed. The rule itself is in `record_configs`; these live and go with it.

use reprise_lifecycle::question::GapRule;
use sqlx::FromRow;

use super::record_configs::RecordConfig;
use super::{Result, Store};

/// The settings of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordSettings {
    /// Days after which a part's video is removed; 0 keeps it.
    pub retention_days: u32,
    /// What viewers of a composed video see where the publisher was gone.
    pub gaps: GapRule,
    /// Whether each part is analysed.
    pub analyse: bool,
}

/// New settings of one rule; what is not given stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// For [`RecordSettings::retention_days`].
    pub retention_days: Option<u32>,
    /// For [`RecordSettings::gaps`].
    pub gaps: Option<GapRule>,
    /// For [`RecordSettings::analyse`].
    pub analyse: Option<bool>,
}

#[derive(FromRow)]
struct Row {
    retention_days: i64,
    gaps: String,
    analyse: bool,
}

const GAPS: [(&str, GapRule); 3] = [("cut", GapRule::Cut), ("hold", GapRule::Hold), ("slate", GapRule::Slate)];

/// The word of a rule, in the catalogue and in the API.
pub fn gap_word(rule: GapRule) -> &'static str {
    GAPS.iter().find(|(_, known)| *known == rule).map_or("cut", |(word, _)| word)
}

/// The rule of a word.
pub fn gap_rule(word: &str) -> Option<GapRule> {
    GAPS.iter().find(|(known, _)| *known == word).map(|(_, rule)| *rule)
}

impl From<Row> for RecordSettings {
    fn from(row: Row) -> Self {
        Self {
            retention_days: u32::try_from(row.retention_days).unwrap_or(0),
            gaps: gap_rule(&row.gaps).unwrap_or_default(),
            analyse: row.analyse,
        }
    }
}

impl Store {
    /// The settings of the rule with this exact key; the defaults if there is none.
    pub async fn record_settings(&self, tenant: &str, config: &RecordConfig) -> Result<RecordSettings> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT retention_days, gaps, analyse FROM record_configs \
             WHERE tenant = ? AND domain = ? AND app = ? AND stream = ?",
        )
        .bind(tenant)
        .bind(&config.domain)
        .bind(&config.app)
        .bind(&config.stream)
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.map(RecordSettings::from).unwrap_or_default())
    }

    /// Changes settings of a rule and gives what they are now; nothing if the rule is not there.
    pub async fn change_record_settings(
        &self,
        tenant: &str,
        (domain, app, stream): (&str, &str, &str),
        change: SettingsChange,
    ) -> Result<Option<RecordSettings>> {
        let row: Option<Row> = sqlx::query_as(
            "UPDATE record_configs SET retention_days = coalesce(?5, retention_days), gaps = coalesce(?6, gaps), \
             analyse = coalesce(?7, analyse) WHERE tenant = ?1 AND domain = ?2 AND app = ?3 AND stream = ?4 \
             RETURNING retention_days, gaps, analyse",
        )
        .bind(tenant)
        .bind(domain)
        .bind(app)
        .bind(stream)
        .bind(change.retention_days.map(i64::from))
        .bind(change.gaps.map(gap_word))
        .bind(change.analyse)
        .fetch_optional(&self.writer)
        .await?;
        Ok(row.map(RecordSettings::from))
    }
}
