//! Components that are valid, small, and more than a compiler can bear: the families that were measured.

use wasm_encoder::{
    BlockType, CodeSection, Component, Function, FunctionSection, Module, ModuleSection, TypeSection, ValType,
};

/// All of them, by name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("branches with many locals", branches(20_000, 256 << 10)),
        ("deep loops with many locals", deep_loops(2_000, 200, 768 << 10)),
        ("many functions", many_functions(175_000)),
    ]
}

/// Blocks that are left early, each after a change of a local: every end joins the values of all locals.
fn branches(locals: u32, bytes: usize) -> Vec<u8> {
    let mut function = Function::new([(locals, ValType::I32)]);
    let mut next = 0;
    while function.byte_len() < bytes {
        let mut code = function.instructions();
        code.block(BlockType::Empty).local_get(next).br_if(0).i32_const(1).local_set((next + 1) % locals).end();
        next = (next + 1) % locals;
    }
    function.instructions().end();
    component(1, &function)
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
