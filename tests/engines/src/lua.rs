//! Lua 5.4. Memory is limited by its allocator, instructions by a hook.

use mlua::{Function, HookTriggers, Lua, LuaSerdeExt, VmState};

use super::{Case, sample};

const SCRIPT: &str = r#"
    local input = ...
    for _, rule in ipairs(input.rules) do
        if input.stream:sub(1, #rule.prefix) == rule.prefix and input.height >= rule.min_height then
            return rule.group
        end
    end
    return "default"
"#;

pub(crate) fn case() -> anyhow::Result<Case> {
    let code = Lua::new().load(SCRIPT).into_function().map_err(wrap)?.dump(true);
    let input = sample::input();
    let kept = state();
    let function = kept.load(SCRIPT).into_function().map_err(wrap)?;
    let same = input.clone();
    Ok(Case {
        name: "Lua 5.4",
        limits: "instructions, memory",
        fresh: Box::new(move || {
            let lua = state();
            let function = lua.load(&code[..]).into_function().expect("the code loads");
            ask(&lua, &function, &input)
        }),
        reused: Some(Box::new(move || ask(&kept, &function, &same))),
    })
}

fn ask(lua: &Lua, function: &Function, input: &sample::Input) -> String {
    let input = lua.to_value(input).expect("the input has a form in the script");
    function.call(input).expect("an answer")
}

fn state() -> Lua {
    let lua = Lua::new();
    lua.set_memory_limit(16 << 20).expect("the allocator is ours");
    let triggers = HookTriggers::new().every_nth_instruction(100_000);
    lua.set_hook(triggers, |_, _| Ok(VmState::Continue)).expect("the hook is set");
    lua
}

fn wrap(error: mlua::Error) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}
