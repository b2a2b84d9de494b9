//! What the generator makes of `policy.wit`: the types, and for each hook the ends of its exported function.
//! Each hook has a world of its own, because a component exports what its worlds name: only the worlds whose
//! export macro is used leave a mark in the component.

/// The types and the imports.
mod shared {
    wit_bindgen::generate!({
        path: "../wit/0.2",
        inline: "
            package reprise:bindings;
            world shared {
                import reprise:policy/types@0.2.0;
                import reprise:policy/log@0.2.0;
                import reprise:policy/state@0.2.0;
                import reprise:policy/assets@0.2.0;
            }
        ",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq],
    });
}

pub(crate) use shared::reprise::policy::types;
#[cfg(target_arch = "wasm32")]
pub(crate) use shared::reprise::policy::{assets as host_assets, log as host_log, state as host_state};
pub use types::{
    AudioTrack, CallbackAnswer, CallbackQuestion, CallbackReplacement, ComposeAnswer, ComposePlan, ComposeQuestion,
    GapRule, GroupChoice, MediaFacts, Origin, Part, PartRange, StreamKey, Stretch, TemplateGroupAnswer,
    TemplateGroupQuestion, VideoTrack,
};
pub use types::{CallbackDecision, ComposeDecision, TemplateGroupDecision};

/// The ends of the hook `template-group`.
pub mod template_group {
    wit_bindgen::generate!({
        path: "../wit/0.2",
        world: "reprise:policy/template-group-policy",
        with: {
            "reprise:policy/types@0.2.0": super::types,
            "reprise:policy/log@0.2.0": super::shared::reprise::policy::log,
            "reprise:policy/state@0.2.0": super::shared::reprise::policy::state,
            "reprise:policy/assets@0.2.0": super::shared::reprise::policy::assets,
        },
        pub_export_macro: true,
        default_bindings_module: "reprise_plugin::private::template_group",
    });
}

/// The ends of the hook `compose-rules`.
pub mod compose_rules {
    wit_bindgen::generate!({
        path: "../wit/0.2",
        world: "reprise:policy/compose-rules-policy",
        with: {
            "reprise:policy/types@0.2.0": super::types,
            "reprise:policy/log@0.2.0": super::shared::reprise::policy::log,
            "reprise:policy/state@0.2.0": super::shared::reprise::policy::state,
            "reprise:policy/assets@0.2.0": super::shared::reprise::policy::assets,
        },
        pub_export_macro: true,
        default_bindings_module: "reprise_plugin::private::compose_rules",
    });
}

/// The ends of the hook `callback`.
pub mod callback {
    wit_bindgen::generate!({
        path: "../wit/0.2",
        world: "reprise:policy/callback-policy",
        with: {
            "reprise:policy/types@0.2.0": super::types,
            "reprise:policy/log@0.2.0": super::shared::reprise::policy::log,
            "reprise:policy/state@0.2.0": super::shared::reprise::policy::state,
            "reprise:policy/assets@0.2.0": super::shared::reprise::policy::assets,
        },
        pub_export_macro: true,
        default_bindings_module: "reprise_plugin::private::callback",
    });
}

/// The ends of the check of settings.
pub mod settings {
    wit_bindgen::generate!({
        path: "../wit/0.2",
        world: "reprise:policy/checked-settings",
        pub_export_macro: true,
        default_bindings_module: "reprise_plugin::private::settings",
    });
}
