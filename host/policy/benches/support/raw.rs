//! The same policies without the host: natively, and on a bare engine with bindings of its own.

use std::hint::black_box;

use callback_fields::CallbackFields;
use reprise_lifecycle::question::Question;
use reprise_plugin::private::decide;
use template_by_stream::TemplateByStream;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

use bindings::exports::reprise::policy::{callback, template_group};
use bindings::reprise::policy::types;

mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit/0.2", world: "policy" });
}

/// A question in the words of the guest, natively and for the engine.
#[expect(clippy::large_enum_variant, reason = "two of them exist")]
pub(crate) enum Guest {
    Decide(reprise_plugin::TemplateGroupQuestion, types::TemplateGroupQuestion),
    Transform(reprise_plugin::CallbackQuestion, types::CallbackQuestion),
}

impl Guest {
    /// The call without any boundary; gives the group, where one is chosen.
    pub(crate) fn native(&self, settings: &str) -> Option<String> {
        let group = match self {
            Self::Decide(question, _) => {
                let said = black_box(decide::<TemplateByStream, _>(black_box(question), settings));
                match said.expect("an answer").answer {
                    reprise_plugin::TemplateGroupAnswer::Group(group) => Some(group),
                    _ => None,
                }
            }
            Self::Transform(question, _) => {
                drop(black_box(decide::<CallbackFields, _>(black_box(question), settings)));
                None
            }
        };
        // Lines are dropped after the call, as the bare engine drops them.
        black_box(reprise_plugin::testing::take_log());
        group
    }
}

/// An engine that interrupts nothing and counts nothing.
pub(crate) fn engine() -> wasmtime::Engine {
    let mut config = Config::new();
    config.allocation_strategy(pooled());
    wasmtime::Engine::new(&config).expect("the bare engine starts")
}

/// Pooled, and that is all.
fn pooled() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(16).total_tables(32).total_core_instances(64).total_component_instances(16);
    pool.max_memory_size(16 << 20).max_tables_per_module(4);
    InstanceAllocationStrategy::Pooling(pool)
}

/// A policy on the bare engine.
pub(crate) struct Policy {
    engine: wasmtime::Engine,
    pre: InstancePre<()>,
    template_group: Option<template_group::GuestIndices>,
    callback: Option<callback::GuestIndices>,
}

/// Calls after which a kept instance is replaced: the SDK's allocator is made for one call and fills the memory.
const CALLS_KEPT: u32 = 64;

/// An instance that is asked again and again, as the host never does.
pub(crate) struct Kept {
    calls: u32,
    store: Store<()>,
    template_group: Option<template_group::Guest>,
    callback: Option<callback::Guest>,
}

impl Policy {
    pub(crate) fn new(component: &[u8]) -> Self {
        let engine = engine();
        let component = Component::new(&engine, component).expect("it compiles");
        let mut linker = Linker::new(&engine);
        linker
            .instance("reprise:policy/log@0.2.0")
            .and_then(|mut log| {
                log.func_wrap("log", |_, (_, line): (bindings::reprise::policy::log::Level, String)| {
                    black_box(line);
                    Ok(())
                })
            })
            .expect("the log links");
        let pre = linker.instantiate_pre(&component).expect("the rest links");
        let template_group = template_group::GuestIndices::new(&pre).ok();
        let callback = callback::GuestIndices::new(&pre).ok();
        Self { engine, pre, template_group, callback }
    }

    pub(crate) fn instantiate(&self) {
        let mut store = Store::new(&self.engine, ());
        black_box(self.pre.instantiate(&mut store).expect("it starts"));
    }

    pub(crate) fn keep(&self) -> Kept {
        let mut store = Store::new(&self.engine, ());
        let instance = self.pre.instantiate(&mut store).expect("it starts");
        let template_group = self.template_group.as_ref().map(|i| i.load(&mut store, &instance).expect("it fits"));
        let callback = self.callback.as_ref().map(|i| i.load(&mut store, &instance).expect("it fits"));
        Kept { calls: 0, store, template_group, callback }
    }

    /// Asks the kept instance, or the next one.
    pub(crate) fn again(&self, kept: &mut Kept, guest: &Guest, settings: &str) -> Option<String> {
        if kept.calls == CALLS_KEPT {
            *kept = self.keep();
        }
        kept.calls += 1;
        kept.call(guest, settings)
    }

    pub(crate) fn fresh(&self, guest: &Guest, settings: &str) -> Option<String> {
        self.keep().call(guest, settings)
    }
}

impl Kept {
    /// The group, where one is chosen.
    pub(crate) fn call(&mut self, guest: &Guest, settings: &str) -> Option<String> {
        match guest {
            Guest::Decide(_, question) => {
                let policy = self.template_group.as_ref().expect("it has the hook");
                let said = policy.call_decide(&mut self.store, question, settings).expect("no trap");
                match black_box(said.expect("an answer")).answer {
                    types::TemplateGroupAnswer::Group(group) => Some(group),
                    _ => None,
                }
            }
            Guest::Transform(_, question) => {
                let policy = self.callback.as_ref().expect("it has the hook");
                black_box(
                    policy.call_decide(&mut self.store, question, settings).expect("no trap").expect("an answer"),
                );
                None
            }
        }
    }
}

/// A question in both forms.
pub(crate) fn question(question: &Question) -> Guest {
    match question {
        Question::TemplateGroup(q) => {
            let (native, wasm) = decide_forms(q);
            Guest::Decide(native, wasm)
        }
        Question::Callback(q) => {
            let (native, wasm) = transform_forms(q);
            Guest::Transform(native, wasm)
        }
        Question::ComposeRules(_) => panic!("no policy that is measured has this hook"),
    }
}

/// Both sets of types are made from one contract, so one list of fields builds either.
macro_rules! forms {
    ($name:ident, $domain:ty, $question:ident, |$q:ident| $($body:tt)*) => {
        fn $name($q: &$domain) -> (reprise_plugin::$question, types::$question) {
            let native = { use reprise_plugin::*; $($body)* };
            let wasm = { use types::*; $($body)* };
            (native, wasm)
        }
    };
}

forms!(decide_forms, reprise_lifecycle::question::TemplateGroupQuestion, TemplateGroupQuestion, |q| {
    TemplateGroupQuestion {
        origin: Origin {
            tenant: q.origin.tenant.clone(),
            stream: StreamKey {
                domain: q.origin.stream.domain.clone(),
                app: q.origin.stream.app.clone(),
                name: q.origin.stream.name.clone(),
            },
            play_domain: q.origin.play_domain.clone(),
            push_args: q.origin.push_args.clone(),
            broadcast: q.origin.broadcast.as_str().to_owned(),
            broadcast_started_at_ms: q.origin.broadcast_started_at.0,
            reconnects: q.origin.reconnects,
        },
        part: Part {
            index: q.part.index,
            video_id: q.part.video_id.as_str().to_owned(),
            started_at_ms: q.part.started_at.0,
            ended_at_ms: q.part.ended_at.0,
            first_ms: q.part.first_ms,
            duration_ms: q.part.duration_ms,
            bytes: q.part.bytes,
            bitrate_kbps: q.part.bitrate_kbps,
            gap_ms: q.part.gap_ms,
            video: q.part.video.as_ref().map(|video| VideoTrack {
                codec: video.codec.clone(),
                width: video.width,
                height: video.height,
                fps: video.fps,
                profile: video.profile.clone(),
            }),
            audio: q.part.audio.as_ref().map(|audio| AudioTrack {
                codec: audio.codec.clone(),
                sample_rate: audio.sample_rate,
                channels: audio.channels,
            }),
            facts: None,
        },
        default_group: q.default_group.clone(),
        groups: q.groups.iter().map(|group| GroupChoice { id: group.id.clone(), name: group.name.clone() }).collect(),
    }
});

forms!(transform_forms, reprise_lifecycle::question::CallbackQuestion, CallbackQuestion, |q| {
    CallbackQuestion {
        tenant: q.tenant.clone(),
        stream: q.stream.as_ref().map(|stream| StreamKey {
            domain: stream.domain.clone(),
            app: stream.app.clone(),
            name: stream.name.clone(),
        }),
        play_domain: q.play_domain.clone(),
        event_id: q.event_id.clone(),
        event_type: q.event_type.clone(),
        url: q.url.clone(),
        headers: q.headers.clone(),
        body: q.body.clone(),
    }
});
