//! From a [`Policy`] to the functions that a component exports.

use crate::bindings::{CallbackDecision, ComposeDecision, TemplateGroupDecision};
use crate::policy::{Policy, parse};
use crate::{
    CallbackAnswer, CallbackQuestion, ComposeAnswer, ComposeQuestion, Error, TemplateGroupAnswer,
    TemplateGroupQuestion, reason,
};

/// Makes a component of a [`Policy`]: names the hooks it is asked at.
///
/// ```
/// # #[derive(serde::Deserialize)]
/// # struct MyPolicy {}
/// # impl reprise_plugin::Policy for MyPolicy {}
/// reprise_plugin::export!(MyPolicy: template_group, callback);
/// # fn main() {}
/// ```
///
/// Only what is named is exported, so only these hooks can be bound. The check of settings always comes with
/// them. To be used once, in the crate that becomes the component.
#[macro_export]
macro_rules! export {
    ($policy:ty: $($hook:ident),+ $(,)?) => {
        // Natively, where tests run, there is nothing to export to.
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::private::settings::exports::reprise::policy::settings::Guest for Component {
                fn check(settings: String) -> Result<(), String> {
                    $crate::private::check::<$policy>(&settings)
                }
            }
            $crate::private::settings::export!(Component with_types_in $crate::private::settings);

            $($crate::__export_hook!($policy: $hook);)+
        };

        // And yet a hook that does not exist, or a type that is no policy, is an error in tests as well.
        const _: () = {
            const fn is_policy<P: $crate::Policy>() {}
            is_policy::<$policy>();
            $(let _ = <$policy as $crate::Policy>::$hook;)+
        };
    };
}

/// One hook of [`export!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __export_hook {
    ($policy:ty: template_group) => {
        $crate::__export_hook!($policy: template_group, TemplateGroupQuestion, TemplateGroupDecision);
    };
    ($policy:ty: compose_rules) => {
        $crate::__export_hook!($policy: compose_rules, ComposeQuestion, ComposeDecision);
    };
    ($policy:ty: callback) => {
        $crate::__export_hook!($policy: callback, CallbackQuestion, CallbackDecision);
    };
    ($policy:ty: $hook:ident, $question:ident, $decision:ident) => {
        impl $crate::private::$hook::exports::reprise::policy::$hook::Guest for Component {
            fn decide(
                question: $crate::$question,
                settings: String,
            ) -> Result<$crate::private::$decision, String> {
                $crate::private::decide::<$policy, _>(&question, &settings)
            }
        }
        $crate::private::$hook::export!(Component with_types_in $crate::private::$hook);
    };
}

/// A question, and how it is put to a policy.
pub trait Asked {
    /// What is answered to it.
    type Answer;
    /// The answer and why.
    type Decision;

    /// Puts the question.
    fn ask<P: Policy>(&self, policy: &P) -> Result<Self::Answer, Error>;

    /// Puts the two together.
    fn decision(answer: Self::Answer, reason: Option<String>) -> Self::Decision;

    /// Takes them apart again.
    fn parts(decision: Self::Decision) -> (Self::Answer, Option<String>);
}

impl Asked for TemplateGroupQuestion {
    type Answer = TemplateGroupAnswer;
    type Decision = TemplateGroupDecision;

    fn ask<P: Policy>(&self, policy: &P) -> Result<TemplateGroupAnswer, Error> {
        policy.template_group(self)
    }

    fn decision(answer: TemplateGroupAnswer, reason: Option<String>) -> TemplateGroupDecision {
        TemplateGroupDecision { answer, reason }
    }

    fn parts(TemplateGroupDecision { answer, reason }: TemplateGroupDecision) -> (TemplateGroupAnswer, Option<String>) {
        (answer, reason)
    }
}

impl Asked for ComposeQuestion {
    type Answer = ComposeAnswer;
    type Decision = ComposeDecision;

    fn ask<P: Policy>(&self, policy: &P) -> Result<ComposeAnswer, Error> {
        policy.compose_rules(self)
    }

    fn decision(answer: ComposeAnswer, reason: Option<String>) -> ComposeDecision {
        ComposeDecision { answer, reason }
    }

    fn parts(ComposeDecision { answer, reason }: ComposeDecision) -> (ComposeAnswer, Option<String>) {
        (answer, reason)
    }
}

impl Asked for CallbackQuestion {
    type Answer = CallbackAnswer;
    type Decision = CallbackDecision;

    fn ask<P: Policy>(&self, policy: &P) -> Result<CallbackAnswer, Error> {
        policy.callback(self)
    }

    fn decision(answer: CallbackAnswer, reason: Option<String>) -> CallbackDecision {
        CallbackDecision { answer, reason }
    }

    fn parts(CallbackDecision { answer, reason }: CallbackDecision) -> (CallbackAnswer, Option<String>) {
        (answer, reason)
    }
}

/// One call: settings, check, answer, reason. What tests run natively and what a component runs is this function.
pub fn decide<P: Policy, Q: Asked>(question: &Q, settings: &str) -> Result<Q::Decision, String> {
    log_panics();
    let answer = parse::<P>(settings).and_then(|policy| question.ask(&policy)).map_err(|error| error.to_string());
    // Taken from a failed call too: natively the next call on the thread must not have it.
    let reason = reason::take();
    Ok(Q::decision(answer?, reason))
}

/// Whether a policy can work with these settings.
pub fn check<P: Policy>(settings: &str) -> Result<(), String> {
    log_panics();
    parse::<P>(settings).map(drop).map_err(|error| error.to_string())
}

/// A component that panics can say nothing but "unreachable code"; where and why is left in the log before.
fn log_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::log::warn(&panic.to_string())));
}
