//! The child's end of compiling. It limits itself before it reads a byte of the component, so that a parent
//! needs no privileged way of starting it; it trusts its parent, which is our own program.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};

use super::{COMPILE, DONE, INVALID, JOB_BYTES, MAGIC, NO_SCHEMA, SETTINGS};
use crate::engine::compiler_engine;
use crate::schema;

/// How far the child steps back for whatever serves streams. Compiling a runtime takes seconds.
const NICENESS: i32 = 10;

/// What a hidden sub-command of the program runs, before it starts any thread: reads a job from the standard
/// input, writes the result to the standard output, and is limited in memory and time as the job says. It is of
/// no use to people.
pub fn compile_child_main() -> ExitCode {
    match run(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent reads this and tells the operator.
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let mut job = [0; JOB_BYTES];
    input.read_exact(&mut job)?;
    let [magic, kind, address_space, cpu, first, second] = split(&job);
    if magic != u64::from_le_bytes(*MAGIC) {
        return Err(io::Error::other("this is for the server itself: it takes a job from its standard input"));
    }
    limit(address_space, cpu)?;
    let (first, second) = (read(input, first)?, read(input, second)?);
    match kind {
        COMPILE => compile(&first, &second, output),
        SETTINGS => {
            let problems = schema::problems(&String::from_utf8_lossy(&first), &String::from_utf8_lossy(&second));
            match problems {
                Ok(problems) => write(output, DONE, problems.join("\n").as_bytes()),
                Err(reason) => write(output, NO_SCHEMA, reason.as_bytes()),
            }
        }
        _ => Err(io::Error::other("there is no job of this kind")),
    }
}

fn compile(component: &[u8], schema: &[u8], output: &mut impl Write) -> io::Result<()> {
    if !schema.is_empty()
        && let Err(reason) = schema::problems(&String::from_utf8_lossy(schema), "{}")
    {
        return write(output, NO_SCHEMA, reason.as_bytes());
    }
    let engine = compiler_engine().map_err(|error| io::Error::other(format!("{error:#}")))?;
    match engine.precompile_component(component) {
        Ok(code) => write(output, DONE, &code),
        Err(error) => write(output, INVALID, format!("{error:#}").as_bytes()),
    }
}

fn read(input: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    Ok(bytes)
}

/// Address space and processor time as the job says; and no core file with a tenant's code in it, nor any
/// other file.
fn limit(address_space: u64, cpu: u64) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    setrlimit(Resource::RLIMIT_AS, address_space, address_space)?;
    // The soft limit's signal says what happened; the hard limit is there if it should not end us.
    setrlimit(Resource::RLIMIT_CPU, cpu, cpu.saturating_add(1))?;
    // A child that may not step back compiles all the same.
    let _ = rustix::process::nice(NICENESS);
    Ok(())
}

fn write(output: &mut impl Write, state: u8, payload: &[u8]) -> io::Result<()> {
    output.write_all(MAGIC)?;
    output.write_all(&[state])?;
    output.write_all(&(payload.len() as u64).to_le_bytes())?;
    output.write_all(payload)?;
    output.flush()
}

fn split(job: &[u8; JOB_BYTES]) -> [u64; 6] {
    let mut words = [0; 6];
    for (word, bytes) in words.iter_mut().zip(job.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}
