//! The few things a guest may call: a log, and for the newer line the plugin's state and assets. No clock, no chance,
//! no network. Each is bounded, and what the host does for a guest is charged to the guest's fuel, or a loop of calls
//! would be cheap.

mod log;
pub(crate) mod state;

use wasmtime::component::Linker;
use wasmtime::{StoreContextMut, Trap};

use crate::bindings::log::Level;
use crate::evaluate::State;
use crate::inspect::MAX_ASSET_PATH_BYTES;
pub(crate) use log::Log;

/// The interfaces under which these are linked. Names match across the patches of a line.
const LOGS: [&str; 2] = ["reprise:policy/log@0.1.0", "reprise:policy/log@0.2.0"];
const STATE: &str = "reprise:policy/state@0.2.0";
const ASSETS: &str = "reprise:policy/assets@0.2.0";

/// Fuel for a call, beside one unit for each byte that is handed over either way: about what the host's share of it
/// costs in time.
pub(crate) const FUEL_PER_CALL: u64 = 1_000;

/// Fuel for an entry of a list that is handed over, which the guest is asked for memory for.
const FUEL_PER_ENTRY: u64 = 200;

/// Fuel for a look into the folder of assets: some system calls.
const FUEL_PER_FILE: u64 = 20_000;

/// Gives guests what they may call.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    for log in LOGS {
        linker.instance(log)?.func_wrap("log", |mut store: Caller<'_>, (level, message): (Level, String)| {
            charge(&mut store, FUEL_PER_CALL, message.len())?;
            store.data_mut().log.add(level, &message);
            Ok(())
        })?;
    }
    link_state(linker)?;
    link_assets(linker)
}

type Caller<'a> = StoreContextMut<'a, State>;

fn link_state(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut state = linker.instance(STATE)?;
    state.func_wrap("get", |mut store: Caller<'_>, (key,): (String,)| {
        charge(&mut store, FUEL_PER_CALL, key.len())?;
        let value = store.data().state.get(&key).map(str::to_owned);
        charge(&mut store, 0, value.as_ref().map_or(0, String::len))?;
        Ok((value,))
    })?;
    state.func_wrap("keys", |mut store: Caller<'_>, (prefix,): (String,)| {
        // All keys are looked at, whatever is found.
        let looked_at = store.data().state.entries() as u64;
        charge(&mut store, FUEL_PER_CALL.saturating_add(looked_at), prefix.len())?;
        let keys = store.data().state.keys(&prefix);
        charge_list(&mut store, &keys)?;
        Ok((keys,))
    })?;
    state.func_wrap("set", |mut store: Caller<'_>, (key, value): (String, String)| {
        charge(&mut store, FUEL_PER_CALL, key.len().saturating_add(value.len()))?;
        Ok((store.data_mut().state.set(key, value),))
    })?;
    state.func_wrap("delete", |mut store: Caller<'_>, (key,): (String,)| {
        charge(&mut store, FUEL_PER_CALL, key.len())?;
        Ok((store.data_mut().state.delete(key),))
    })
}

fn link_assets(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut assets = linker.instance(ASSETS)?;
    assets.func_wrap("read", |mut store: Caller<'_>, (path,): (String,)| {
        charge(&mut store, FUEL_PER_FILE, path.len())?;
        // Longer ones are not looked for, since none is packed.
        let bytes = (path.len() <= MAX_ASSET_PATH_BYTES).then(|| store.data().assets.read(&path)).flatten();
        charge(&mut store, 0, bytes.as_ref().map_or(0, Vec::len))?;
        Ok((bytes,))
    })?;
    assets.func_wrap("paths", |mut store: Caller<'_>, (): ()| {
        charge(&mut store, FUEL_PER_FILE, 0)?;
        let mut paths = store.data().assets.paths();
        // Folders are listed in any order; an answer must not depend on it.
        paths.sort_unstable();
        charge_list(&mut store, &paths)?;
        Ok((paths,))
    })
}

fn charge_list(store: &mut Caller<'_>, list: &[String]) -> wasmtime::Result<()> {
    charge(store, FUEL_PER_ENTRY.saturating_mul(list.len() as u64), list.iter().map(String::len).sum())
}

/// Takes fuel from the guest, and ends the call if there is not enough: the engine itself looks only at loops and calls,
/// and a long straight line of host calls has neither.
pub(crate) fn charge(store: &mut Caller<'_>, price: u64, bytes: usize) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(price.saturating_add(bytes as u64));
    store.set_fuel(left.unwrap_or(0))?;
    if left.is_none() {
        return Err(Trap::OutOfFuel.into());
    }
    Ok(())
}
