use std::process::ExitCode;

fn main() -> ExitCode {
    // Two of our commands are for our own child processes only: they run before anything else is set up.
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(command) if command == "sandbox" => reprise::ffmpeg::sandbox::main(args),
        Some(command) if command == "compile-policy" => reprise_policy::compile_child_main(),
        _ => reprise::cli::main(),
    }
}
