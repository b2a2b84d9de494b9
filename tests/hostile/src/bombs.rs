//! Components that are small, and more than a compiler can bear.

use wasm_encoder::{
    BlockType, CodeSection, Component, Function, FunctionSection, Module, ModuleSection, TypeSection, ValType,
};

use crate::guest::around_text;
use crate::{Fate, Specimen, specimen};

pub(crate) fn all() -> Vec<Specimen> {
    let repeat = |text: &str, times: usize| text.repeat(times);
    let in_function = |body: String| format!("(module (func {body}))");
    let texts = [
        ("ten thousand locals", in_function(format!("(local {})", repeat("i64 ", 10_000)))),
        ("twenty thousand functions", format!("(module {})", repeat("(func)", 20_000))),
        ("blocks a thousand deep", in_function(format!("{}{}", repeat("(block ", 1_000), repeat(")", 1_000)))),
        ("loops a thousand deep", in_function(format!("{}{}", repeat("(loop ", 1_000), repeat(")", 1_000)))),
        (
            "conditions a thousand deep",
            in_function(format!("{}{}", repeat("(if (i32.const 1) (then ", 1_000), repeat("))", 1_000))),
        ),
        ("a branch table of fifty thousand", in_function(format!("(br_table {} (i32.const 0))", repeat("0 ", 50_000)))),
        ("many branch tables", in_function(repeat("(block (br_table 0 0 0 0 0 0 0 0 (i32.const 0)))", 3_000))),
        ("a function of a thousand parameters", in_function(format!("(param {})", repeat("i32 ", 1_000)))),
        ("a function of a thousand results", format!("(module (type (func (result {}))))", repeat("i32 ", 1_000))),
        ("a function of half a megabyte", in_function(repeat("(nop)", 500_000))),
        ("a hundred thousand globals", format!("(module {})", repeat("(global i32 (i32.const 0))", 100_000))),
        ("thirty thousand types", format!("(module {})", repeat("(type (func))", 30_000))),
        (
            "thirty thousand exports",
            format!(
                "(module (func $f) {})",
                (0..30_000).map(|n| format!("(export \"e{n}\" (func $f))")).collect::<String>()
            ),
        ),
        (
            "thirty thousand imports",
            format!("(module {})", (0..30_000).map(|n| format!("(import \"m\" \"i{n}\" (func))")).collect::<String>()),
        ),
        ("thirty thousand segments", format!("(module (memory 1) {})", repeat("(data (i32.const 0) \"\")", 30_000))),
        (
            "thirty thousand element segments",
            format!("(module (table 1 funcref) {})", repeat("(elem (i32.const 0))", 30_000)),
        ),
        ("a name of half a megabyte", format!("(module (func (export \"{}\")))", repeat("x", 500_000))),
    ];
    let components = [
        ("a hundred modules", format!("(component {})", repeat("(core module)", 100))),
        ("a thousand components", format!("(component {})", repeat("(component)", 1_000))),
        ("components a hundred deep", format!("{}{}", repeat("(component ", 100), repeat(")", 100))),
        (
            "instances without end",
            format!("(component (core module $m) {})", repeat("(core instance (instantiate $m))", 1_000)),
        ),
    ];
    // Below the limits of a function's locals and of its size, each by itself; their product is what is too much.
    let made = [
        ("locals and size just below their limits", branches(999, 60 << 10)),
        ("a dozen functions just below the limit of locals", many_branches(999, 2_000, 12)),
    ];
    let texts = texts.into_iter().map(|(name, text)| specimen(name, around_text(&text), Fate::Refused));
    let components = components.into_iter().map(|(name, text)| {
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        specimen(name, bytes, Fate::Refused)
    });
    let made = made.into_iter().map(|(name, bytes)| specimen(name, bytes, Fate::Refused));
    texts.chain(components).chain(made).chain(too_much_to_compile()).collect()
}

pub(crate) fn too_much_to_compile() -> Vec<Specimen> {
    [
        ("branches with many locals", branches(20_000, 256 << 10)),
        ("deep loops with many locals", deep_loops(2_000, 200, 768 << 10)),
        ("many functions", many_functions(175_000)),
    ]
    .map(|(name, bytes)| specimen(name, bytes, Fate::Refused))
    .to_vec()
}

/// Blocks that are left early, each after a change of a local: every end joins the values of all locals.
fn branches(locals: u32, bytes: usize) -> Vec<u8> {
    component(1, &branching(locals, |function, _| function.byte_len() < bytes))
}

/// Several functions of so many blocks.
fn many_branches(locals: u32, blocks: u32, functions: u32) -> Vec<u8> {
    component(functions, &branching(locals, |_, made| made < blocks))
}

fn branching(locals: u32, goes_on: impl Fn(&Function, u32) -> bool) -> Function {
    let mut function = Function::new([(locals, ValType::I32)]);
    let (mut next, mut made) = (0, 0);
    while goes_on(&function, made) {
        let mut code = function.instructions();
        code.block(BlockType::Empty).local_get(next).br_if(0).i32_const(1).local_set((next + 1) % locals).end();
        next = (next + 1) % locals;
        made += 1;
    }
    function.instructions().end();
    function
}

/// Loops in loops, again and again: every head joins the values of all locals.
fn deep_loops(locals: u32, depth: u32, bytes: usize) -> Vec<u8> {
    let mut function = Function::new([(locals, ValType::I32)]);
    let mut next = 0;
    while function.byte_len() < bytes {
        let mut code = function.instructions();
        for _ in 0..depth {
            code.loop_(BlockType::Empty).local_get(next).i32_const(1).i32_add().local_set((next + 1) % locals);
            next = (next + 1) % locals;
        }
        for _ in 0..depth {
            code.local_get(next).br_if(0).end();
        }
    }
    function.instructions().end();
    component(1, &function)
}

/// Functions of next to nothing, each of which has its own cost.
fn many_functions(count: u32) -> Vec<u8> {
    let mut function = Function::new([]);
    function.instructions().end();
    component(count, &function)
}

/// The function, as often as wanted, in a module in a component.
fn component(count: u32, function: &Function) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for _ in 0..count {
        functions.function(0);
        code.function(function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish()
}
