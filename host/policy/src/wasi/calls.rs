//! The functions that runtimes call before they come to a policy's own code, and those that tell nothing. Each answers
//! what is true where there is no world: empty, ended, nobody there.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource};

use super::console::Stream;
use super::{Denied, Handle, charge};
use crate::evaluate::State;

/// The time that it always is: 2000-01-01T00:00:00Z, in seconds since the Unix epoch. It is plain to see that it is not
/// the time of day, and certificates and dates before 1970 are no trouble.
const NOW_SECONDS: u64 = 946_684_800;

/// The monotonic clock, which stands. Not zero, which some runtimes take for "no clock".
const MONOTONIC_NS: u64 = 1_000_000_000;

/// What clocks say about their resolution: a nanosecond.
const RESOLUTION_NS: u64 = 1;

/// Where chance begins for every call.
const SEED: u64 = 0x5265_7072_6973_6521;

/// Bytes that a guest can have at once of chance: enough for any hash or seed.
const MAX_RANDOM_BYTES: u64 = 4 << 10;

/// Bytes that an output stream says it takes.
const WRITE_BYTES: u64 = 4 << 10;

/// Handles of the streams: what they stand for is in the number.
const STDIN: u32 = 1;
const STDOUT: u32 = 2;
const STDERR: u32 = 3;
/// Something that is waited for and has come.
const READY: u32 = 4;

type Caller<'a> = StoreContextMut<'a, State>;
type Link<'a> = LinkerInstance<'a, State>;
type Written = Result<(), StreamError>;
type Read = Result<Vec<u8>, StreamError>;
type Count = Result<u64, StreamError>;

#[derive(ComponentType, Lower, Lift)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    /// Part of the type; nothing fails here, it is only over.
    LastOperationFailed(Resource<Handle>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lower, Lift)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// Links a function, if it is one of those that answer.
pub(super) fn link(instance: &mut Link<'_>, face: &str, name: &str) -> wasmtime::Result<bool> {
    match face {
        "cli/environment"
        | "cli/stdin"
        | "cli/stdout"
        | "cli/stderr"
        | "cli/terminal-stdin"
        | "cli/terminal-stdout"
        | "cli/terminal-stderr" => program(instance, name),
        "cli/exit" => exit(instance, name),
        "clocks/wall-clock" => wall_clock(instance, name),
        "clocks/monotonic-clock" => monotonic_clock(instance, name),
        "filesystem/preopens" => constant(instance, name, "get-directories", Vec::<(Resource<Handle>, String)>::new),
        "io/poll" => poll(instance, name),
        "io/error" => constant_of(instance, name, "[method]error.to-debug-string", || "closed".to_owned()),
        "io/streams" => Ok(input(instance, name)? || output(instance, name)?),
        "random/random" | "random/insecure" | "random/insecure-seed" => random(instance, name),
        _ => Ok(false),
    }
}

/// A function without parameters that always answers the same.
fn constant<R>(instance: &mut Link<'_>, name: &str, known: &str, answer: fn() -> R) -> wasmtime::Result<bool>
where
    (R,): wasmtime::component::ComponentNamedList + Lower + 'static,
{
    if name != known {
        return Ok(false);
    }
    let call = move |mut store: Caller<'_>, (): ()| {
        charge(&mut store, 0)?;
        Ok((answer(),))
    };
    instance.func_wrap(name, call)?;
    Ok(true)
}

/// The same for a method.
fn constant_of<R>(instance: &mut Link<'_>, name: &str, known: &str, answer: fn() -> R) -> wasmtime::Result<bool>
where
    (R,): wasmtime::component::ComponentNamedList + Lower + 'static,
{
    if name != known {
        return Ok(false);
    }
    let call = move |mut store: Caller<'_>, (_,): (Resource<Handle>,)| {
        charge(&mut store, 0)?;
        Ok((answer(),))
    };
    instance.func_wrap(name, call)?;
    Ok(true)
}

fn program(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    Ok(constant(instance, name, "get-environment", Vec::<(String, String)>::new)?
        || constant(instance, name, "get-arguments", Vec::<String>::new)?
        || constant(instance, name, "initial-cwd", || None::<String>)?
        || constant(instance, name, "get-stdin", || Resource::<Handle>::new_own(STDIN))?
        || constant(instance, name, "get-stdout", || Resource::<Handle>::new_own(STDOUT))?
        || constant(instance, name, "get-stderr", || Resource::<Handle>::new_own(STDERR))?
        || constant(instance, name, "get-terminal-stdin", || None::<Resource<Handle>>)?
        || constant(instance, name, "get-terminal-stdout", || None::<Resource<Handle>>)?
        || constant(instance, name, "get-terminal-stderr", || None::<Resource<Handle>>)?)
}

/// Ends the call: an exit is no answer, whatever its code.
fn exit(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    let denied = Denied("the guest ended itself (wasi:cli/exit) instead of giving an answer".to_owned());
    instance.func_new(name, move |_, _, _, _| Err(wasmtime::Error::new(denied.clone())))?;
    Ok(true)
}

fn wall_clock(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    let now = || Datetime { seconds: NOW_SECONDS, nanoseconds: 0 };
    let resolution = || Datetime { seconds: 0, nanoseconds: RESOLUTION_NS as u32 };
    Ok(constant(instance, name, "now", now)? || constant(instance, name, "resolution", resolution)?)
}

fn monotonic_clock(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    if let "subscribe-instant" | "subscribe-duration" = name {
        instance.func_wrap(name, |mut store: Caller<'_>, (_,): (u64,)| {
            charge(&mut store, 0)?;
            Ok((Resource::<Handle>::new_own(READY),))
        })?;
        return Ok(true);
    }
    Ok(constant(instance, name, "now", || MONOTONIC_NS)? || constant(instance, name, "resolution", || RESOLUTION_NS)?)
}

/// Waiting is over at once: all that is waited for has come.
fn poll(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "poll" => instance.func_wrap(name, |mut store: Caller<'_>, (all,): (Vec<Resource<Handle>>,)| {
            charge(&mut store, 4 * all.len() as u64)?;
            if all.is_empty() {
                return Err(Denied("the guest waits (wasi:io/poll) for nothing at all".to_owned()).into());
            }
            Ok(((0..u32::try_from(all.len())?).collect::<Vec<u32>>(),))
        })?,
        "[method]pollable.block" => {
            instance.func_wrap(name, |mut store: Caller<'_>, (_,): (Resource<Handle>,)| charge(&mut store, 0))?;
        }
        _ => return constant_of(instance, name, "[method]pollable.ready", || true),
    }
    Ok(true)
}

/// The standard input, which is at its end.
fn input(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    match name.strip_prefix("[method]input-stream.") {
        Some("read" | "blocking-read") => {
            instance.func_wrap(name, |mut store: Caller<'_>, (_, _): (Resource<Handle>, u64)| {
                charge(&mut store, 0)?;
                Ok((Read::Err(StreamError::Closed),))
            })?;
        }
        Some("skip" | "blocking-skip") => {
            instance.func_wrap(name, |mut store: Caller<'_>, (_, _): (Resource<Handle>, u64)| {
                charge(&mut store, 0)?;
                Ok((Count::Err(StreamError::Closed),))
            })?;
        }
        Some("subscribe") => return subscribe(instance, name),
        _ => return Ok(false),
    }
    Ok(true)
}

/// The standard output and error, which never are in the way.
fn output(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    match name.strip_prefix("[method]output-stream.") {
        Some("check-write") => {
            return constant_of(instance, name, name, || Count::Ok(WRITE_BYTES));
        }
        Some("write" | "blocking-write-and-flush") => {
            instance.func_wrap(name, |mut store: Caller<'_>, (stream, bytes): (Resource<Handle>, Vec<u8>)| {
                charge(&mut store, bytes.len() as u64)?;
                let stream = if stream.rep() == STDERR { Stream::Error } else { Stream::Output };
                let State { wasi, log, .. } = store.data_mut();
                wasi.console.write(stream, &bytes, log);
                Ok((Written::Ok(()),))
            })?;
        }
        Some("flush" | "blocking-flush") => return constant_of(instance, name, name, || Written::Ok(())),
        Some("write-zeroes" | "blocking-write-zeroes-and-flush") => {
            // Zeros are no text, so there is nothing to keep.
            instance.func_wrap(name, |mut store: Caller<'_>, (_, _): (Resource<Handle>, u64)| {
                charge(&mut store, 0)?;
                Ok((Written::Ok(()),))
            })?;
        }
        Some("splice" | "blocking-splice") => {
            let call = |mut store: Caller<'_>, (_, _, _): (Resource<Handle>, Resource<Handle>, u64)| {
                charge(&mut store, 0)?;
                Ok((Count::Err(StreamError::Closed),))
            };
            instance.func_wrap(name, call)?;
        }
        Some("subscribe") => return subscribe(instance, name),
        _ => return Ok(false),
    }
    Ok(true)
}

fn subscribe(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    constant_of(instance, name, name, || Resource::<Handle>::new_own(READY))
}

/// Chance that is none: the same numbers in the same order for every call.
fn random(instance: &mut Link<'_>, name: &str) -> wasmtime::Result<bool> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            instance.func_wrap(name, |mut store: Caller<'_>, (wanted,): (u64,)| {
                if wanted > MAX_RANDOM_BYTES {
                    let told = "the guest wants more than 4 KiB of random bytes (wasi:random) at once";
                    return Err(Denied(told.to_owned()).into());
                }
                charge(&mut store, wanted)?;
                let mut bytes = Vec::with_capacity(usize::try_from(wanted)? + 8);
                while (bytes.len() as u64) < wanted {
                    bytes.extend_from_slice(&next(&mut store).to_le_bytes());
                }
                bytes.truncate(usize::try_from(wanted)?);
                Ok((bytes,))
            })?;
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            instance.func_wrap(name, |mut store: Caller<'_>, (): ()| {
                charge(&mut store, 0)?;
                Ok((next(&mut store),))
            })?;
        }
        "insecure-seed" | "get-insecure-seed" => {
            instance.func_wrap(name, |mut store: Caller<'_>, (): ()| {
                charge(&mut store, 0)?;
                Ok(((next(&mut store), next(&mut store)),))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// SplitMix64: well spread, and four lines.
fn next(store: &mut Caller<'_>) -> u64 {
    let chance = &mut store.data_mut().wasi.chance;
    *chance = chance.wrapping_add(1);
    let mut z = SEED.wrapping_add(chance.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
