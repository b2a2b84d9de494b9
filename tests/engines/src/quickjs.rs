//! QuickJS. Memory and stack are limited, time by an interrupt handler.

use rquickjs::{Context, Function, Persistent, Runtime};

use super::{Case, sample};

const SCRIPT: &str = r#"
    (text) => {
        const input = JSON.parse(text);
        for (const rule of input.rules)
            if (input.stream.startsWith(rule.prefix) && input.height >= rule.min_height) return rule.group;
        return "default";
    }
"#;

pub(crate) fn case() -> anyhow::Result<Case> {
    let text = serde_json::to_string(&sample::input())?;
    let same = text.clone();
    let runtime = runtime()?;
    let context = Context::full(&runtime)?;
    let kept = context.with(|ctx| {
        let function: Function<'_> = ctx.eval(SCRIPT)?;
        Ok::<_, rquickjs::Error>(Persistent::save(&ctx, function))
    })?;
    Ok(Case {
        name: "QuickJS",
        limits: "time, memory, stack",
        fresh: Box::new(move || {
            let runtime = self::runtime().expect("a runtime");
            let context = Context::full(&runtime).expect("a context");
            context.with(|ctx| {
                let function: Function<'_> = ctx.eval(SCRIPT).expect("the script is read");
                function.call((text.as_str(),)).expect("an answer")
            })
        }),
        reused: Some(Box::new(move || {
            let _ = &runtime;
            context.with(|ctx| {
                let function = kept.clone().restore(&ctx).expect("it is there");
                function.call((same.as_str(),)).expect("an answer")
            })
        })),
    })
}

fn runtime() -> rquickjs::Result<Runtime> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(16 << 20);
    runtime.set_max_stack_size(256 << 10);
    runtime.set_interrupt_handler(Some(Box::new(|| false)));
    Ok(runtime)
}
