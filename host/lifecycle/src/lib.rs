//! The lifecycle core: it looks at a broadcast's folded journal and one input and says which records follow.
//! It cannot tell the time, draw a number, read a file or start anything; whoever drives it commits the
//! records, folds them in, and only then lets the work start that [`Broadcast::outstanding`] derives.
//!
//! Five nouns: an *input* happened outside; a *record* is a fact in a broadcast's journal; an *effect* is work
//! that should be running; an *event* is what the tenant is told; a *decision* is a policy's recorded verdict.
//!
//! The laws, each a property test in `tests/laws.rs`:
//!
//! 1. A broadcast is the fold of its records, and of nothing else.
//! 2. `step` changes nothing, and `apply` never fails on a record that `step` produced.
//! 3. An effect is outstanding until a record closes it, and its id comes from the record that called for it.
//! 4. A late or repeated input gives no records; an impossible one is [`broadcast::Rejected`].
//! 5. Event ids come from the record: the same on every attempt and after every crash.
//! 6. From any prefix of any journal, and with the same answers from outside, finishing the outstanding
//!    effects leads to the same end.
//!
//! ```
//! use reprise_lifecycle::broadcast::Broadcast;
//! use reprise_lifecycle::id::{BroadcastId, GroupId, TenantId};
//! use reprise_lifecycle::input::Input;
//! use reprise_lifecycle::question::StreamKey;
//! use reprise_lifecycle::record::{LeaveCause, Opening, RecordRules};
//! use reprise_lifecycle::time::Timestamp;
//!
//! let opening = Opening {
//!     tenant: TenantId::new("acme"),
//!     stream: StreamKey { domain: "push.example.org".into(), app: "studio".into(), name: "cam01".into() },
//!     play_domain: "play.example.org".into(),
//!     push_args: vec![],
//!     rules: RecordRules {
//!         cycle_ms: 3_600_000,
//!         break_ms: 180_000,
//!         group: GroupId::no_transcode(),
//!         ..RecordRules::default()
//!     },
//! };
//! let mut journal = Broadcast::open(opening, "198.51.100.7".into(), Timestamp(0));
//! let mut broadcast = Broadcast::fold(BroadcastId::new("b1"), &journal)?.expect("it was opened");
//!
//! // The publisher leaves; nobody comes back within the break window, so the broadcast is over.
//! for (input, now) in [
//!     (Input::gone(1, LeaveCause::Unpublished), Timestamp(60_000)),
//!     (Input::Tick, Timestamp(240_000)),
//! ] {
//!     for record in broadcast.step(&input, now).expect("both inputs fit") {
//!         broadcast.apply(&record)?;
//!         journal.push(record);
//!     }
//! }
//! assert!(broadcast.is_settled());
//! assert_eq!(Broadcast::fold(BroadcastId::new("b1"), &journal)?, Some(broadcast));
//! # Ok::<(), reprise_lifecycle::broadcast::Corrupt>(())
//! ```

pub mod broadcast;
pub mod decision;
pub mod delivery;
pub mod effect;
pub mod event;
pub mod id;
pub mod input;
pub mod media;
pub mod question;
pub mod record;
pub mod replay;
pub mod retry;
pub mod time;
pub mod video;
pub mod work;
