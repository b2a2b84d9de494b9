//! Journals: appended by compare-and-set, together with the read models, the events and their deliveries, in
//! one transaction. What is not committed here did not happen.

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::id::{BroadcastId, RecordSeq};
use reprise_lifecycle::record::{Record, VERSION};

use super::decisions::LoggedDecision;
use super::deliveries::OutboxEvent;
use super::live_notices::NewNotice;
use super::{Error, Result, Store, decisions, deliveries, live_notices, projection, read_json, write_json};

/// New records of one broadcast and all that is written with them.
#[derive(Debug)]
pub struct Append<'a> {
    /// The broadcast with the records folded in.
    pub after: &'a Broadcast,
    /// The sequence number of the first new record.
    pub first_seq: RecordSeq,
    /// The new records.
    pub records: &'a [Record],
    /// Their events.
    pub events: Vec<OutboxEvent>,
    /// What is told of them beside the events.
    pub notices: Vec<NewNotice>,
    /// Their decisions.
    pub decisions: Vec<LoggedDecision>,
    /// Whether a callback policy is asked before anything is sent.
    pub shape: bool,
}

impl Store {
    /// Commits all of `appends` or nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] when another writer appended to one of the journals.
    pub async fn append(&self, appends: &[Append<'_>]) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for append in appends {
            for (seq, record) in (append.first_seq..).zip(append.records) {
                let done = sqlx::query(
                    "INSERT INTO journal (broadcast, seq, version, at, record) \
                     SELECT ?1, ?2, ?3, ?4, ?5 \
                     WHERE ?2 = (SELECT coalesce(max(seq) + 1, 0) FROM journal WHERE broadcast = ?1)",
                )
                .bind(append.after.id.as_str())
                .bind(seq as i64)
                .bind(VERSION)
                .bind(record.at().0)
                .bind(write_json("record", record)?)
                .execute(&mut *transaction)
                .await?;
                if done.rows_affected() != 1 {
                    return Err(Error::Conflict("a record with this number is already in the journal"));
                }
            }
            projection::write(&mut transaction, append.after, append.records).await?;
            decisions::write(&mut transaction, append.after, &append.decisions).await?;
            deliveries::write(&mut transaction, append.after, &append.events, append.shape).await?;
            live_notices::tell_records(&mut transaction, &append.notices).await?;
        }
        transaction.commit().await?;
        if appends.iter().any(|append| !append.decisions.is_empty()) {
            self.decided.send_replace(());
        }
        Ok(())
    }

    /// A broadcast's journal in order.
    pub async fn journal(&self, broadcast: &BroadcastId) -> Result<Vec<Record>> {
        let rows: Vec<String> = sqlx::query_scalar("SELECT record FROM journal WHERE broadcast = ? ORDER BY seq")
            .bind(broadcast.as_str())
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| read_json("record", row)).collect()
    }

    /// Lets no record be written until told otherwise, like a disk without room.
    #[cfg(test)]
    pub(crate) async fn refuse_records(&self, refuse: bool) {
        let sql = if refuse {
            "CREATE TRIGGER refused BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no room'); END"
        } else {
            "DROP TRIGGER refused"
        };
        sqlx::query(sql).execute(&self.writer).await.unwrap();
    }

    /// The record that opened the broadcast's newest part, if it has one.
    pub async fn newest_part_opened(&self, tenant: &str, broadcast: &str) -> Result<Option<Record>> {
        let row: Option<String> = sqlx::query_scalar(
            "SELECT j.record FROM journal j JOIN broadcasts b ON b.id = j.broadcast \
             WHERE b.tenant = ? AND b.id = ? AND j.record ->> '$.kind' = 'part_opened' ORDER BY j.seq DESC LIMIT 1",
        )
        .bind(tenant)
        .bind(broadcast)
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| read_json("record", &row)).transpose()
    }

    /// The broadcasts in which something may still happen by itself.
    pub async fn unsettled_broadcasts(&self) -> Result<Vec<BroadcastId>> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT id FROM broadcasts WHERE settled = 0 ORDER BY started_at, id")
                .fetch_all(&self.reader)
                .await?;
        Ok(rows.into_iter().map(BroadcastId::new).collect())
    }
}
