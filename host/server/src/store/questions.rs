//! Recorded questions, to be put again.

use super::{Result, Store};

/// Decisions that are looked through for a question: a hook that was asked lately is among them.
const LOOKED_THROUGH: i64 = 1000;

impl Store {
    /// The newest recorded question at a hook, as JSON, if there is one among a tenant's latest decisions.
    pub async fn newest_question(&self, tenant: &str, hook: &str) -> Result<Option<String>> {
        let newest = "SELECT question FROM (SELECT id, hook, question FROM decisions WHERE tenant = ? \
                      ORDER BY id DESC LIMIT ?) WHERE hook = ? AND question <> 'null' ORDER BY id DESC LIMIT 1";
        let row = sqlx::query_scalar(newest).bind(tenant).bind(LOOKED_THROUGH).bind(hook);
        Ok(row.fetch_optional(&self.searcher).await?)
    }
}
