//! Names that tenants give to their requests, so that a request sent twice is done once.

use reprise_lifecycle::id::TaskId;
use reprise_lifecycle::time::Timestamp;

use super::{Result, Store};

/// How long a name is remembered: the vendor's seven days.
pub const REMEMBERED_MS: i64 = 7 * 86_400_000;

/// How long a request may be under way. One that neither succeeded nor failed after this met the server's death.
const UNDER_WAY_MS: i64 = 60_000;

impl Store {
    /// Takes a name for a task. `false`: a task was made under it within seven days, or is being made now.
    pub async fn take_session(&self, tenant: &str, session: &str, task: &TaskId, now: Timestamp) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM sessions WHERE at <= ?")
            .bind(now.0.saturating_sub(REMEMBERED_MS))
            .execute(&mut *transaction)
            .await?;
        // The server may have died between the task's record and the note of it here.
        let done = sqlx::query(
            "INSERT INTO sessions (tenant, session, task, at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (tenant, session) DO UPDATE SET task = ?3, at = ?4 \
             WHERE NOT kept AND at <= ?5 AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = sessions.task)",
        )
        .bind(tenant)
        .bind(session)
        .bind(task.as_str())
        .bind(now.0)
        .bind(now.0.saturating_sub(UNDER_WAY_MS))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Ends the request that took a name: its task was recorded, or it was refused and the name is free again.
    pub async fn end_session(&self, tenant: &str, session: &str, task: &TaskId, recorded: bool) -> Result<()> {
        let sql = if recorded {
            "UPDATE sessions SET kept = 1 WHERE tenant = ? AND session = ? AND task = ?"
        } else {
            "DELETE FROM sessions WHERE tenant = ? AND session = ? AND task = ?"
        };
        sqlx::query(sql).bind(tenant).bind(session).bind(task.as_str()).execute(&self.writer).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{World, noon};

    #[tokio::test]
    async fn a_name_is_good_for_one_task_in_seven_days() {
        let world = World::new().await;
        for tenant in ["acme", "umbrella"] {
            world.tenant(tenant).await;
        }
        let (first, second) = (TaskId::new("t1"), TaskId::new("t2"));
        let take = async |tenant: &str, task: &TaskId, after_ms: i64| {
            world.store.take_session(tenant, "s", task, noon().plus_ms(after_ms)).await.unwrap()
        };
        assert!(take("acme", &first, 0).await);
        assert!(take("umbrella", &second, 0).await, "names are a tenant's own");
        assert!(!take("acme", &second, 1).await, "it is under way");
        world.store.end_session("acme", "s", &first, false).await.unwrap();
        assert!(take("acme", &second, 2).await, "it was refused");
        assert!(take("acme", &first, UNDER_WAY_MS + 2).await, "nothing ever came of it");
        world.store.end_session("acme", "s", &first, true).await.unwrap();
        assert!(!take("acme", &second, REMEMBERED_MS - 1).await, "it was done");
        assert!(take("acme", &second, UNDER_WAY_MS + 2 + REMEMBERED_MS).await, "it is forgotten");
    }
}
