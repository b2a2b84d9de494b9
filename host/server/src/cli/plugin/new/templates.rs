//! The files of new projects, embedded: an author needs this binary and the language's own tools, and no source of ours.

use super::Language;

/// A file of a project by its path, and its text with places to fill.
type File = (&'static str, &'static str);

/// A template's text.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../templates/", $path))
    };
}

/// A file of the SDK, as it is.
macro_rules! sdk {
    ($path:literal) => {
        (
            concat!("vendor/reprise-plugin/src/", $path),
            include_str!(concat!("../../../../../../plugin-sdk/src/", $path)),
        )
    };
}

const WIT: &str = include_str!("../../../../../../wit/0.2/policy.wit");

const COMMON: [File; 5] = [
    ("settings.json", template!("common/settings.json")),
    ("settings.schema.json", template!("common/settings.schema.json")),
    ("tests/cases.json", template!("common/cases.json")),
    ("README.md", template!("common/README.md")),
    (".gitignore", template!("common/gitignore")),
];

/// Projects in languages without an SDK say in WIT what they export.
const DESCRIBED: [File; 2] =
    [("wit/world.wit", template!("common/world.wit")), ("wit/deps/reprise-policy/policy.wit", WIT)];

/// The SDK is in no registry, so a project has it beside its own source.
const RUST: [File; 17] = [
    ("Cargo.toml", template!("rust/Cargo.toml.in")),
    ("src/lib.rs", template!("rust/lib.rs")),
    ("vendor/wit/0.2/policy.wit", WIT),
    ("vendor/reprise-plugin/Cargo.toml", template!("rust/sdk.toml.in")),
    sdk!("assets.rs"),
    sdk!("bindings.rs"),
    sdk!("error.rs"),
    sdk!("export.rs"),
    sdk!("heap.rs"),
    sdk!("lib.rs"),
    sdk!("log.rs"),
    sdk!("policy.rs"),
    sdk!("reason.rs"),
    sdk!("state.rs"),
    sdk!("state/host.rs"),
    sdk!("testing.rs"),
    ("vendor/reprise-plugin/LICENSE", include_str!("../../../../../../LICENSE")),
];

const JAVASCRIPT: [File; 2] =
    [("package.json", template!("js/package.json")), ("policy.js", template!("js/policy.js"))];

const PYTHON: [File; 2] =
    [("policy.py", template!("python/policy.py")), ("requirements.txt", template!("python/requirements.txt"))];

const C: [File; 7] = [
    ("policy.c", template!("c/policy.c")),
    ("plugin.c", template!("c/plugin.c")),
    ("plugin.h", template!("c/plugin.h")),
    ("json.h", template!("c/json.h")),
    ("libc/libc.c", template!("c/libc/libc.c")),
    ("libc/stdlib.h", template!("c/libc/stdlib.h")),
    ("libc/string.h", template!("c/libc/string.h")),
];

/// All files of a project.
pub(super) fn files(language: Language) -> Vec<File> {
    let (own, described): (&[File], &[File]) = match language {
        Language::Rust => (&RUST, &[]),
        Language::JavaScript => (&JAVASCRIPT, &DESCRIBED),
        Language::Python => (&PYTHON, &DESCRIBED),
        Language::C => (&C, &DESCRIBED),
    };
    [own, described, &COMMON].concat()
}

/// What the README says of a language.
struct Words {
    written_in: &'static str,
    files: &'static str,
    wit: &'static str,
    needs: &'static str,
    more: &'static str,
}

const fn words(language: Language) -> Words {
    match language {
        Language::Rust => Words {
            written_in: "a Rust crate that depends on the SDK in `vendor/reprise-plugin`",
            files: "| `src/lib.rs` | the policy |\n| `vendor/` | the SDK and the contract, as they came with this project |",
            wit: "vendor/wit/0.2/policy.wit",
            needs: "; needs Rust: rustup target add wasm32-unknown-unknown",
            more: "cargo test                      # tests in Rust, natively",
        },
        Language::JavaScript => Words {
            written_in: "written in JavaScript, and carries a JavaScript engine (about 12 MB): a policy of the class `scripted`",
            files: "| `policy.js` | the policy |\n| `package.json` | componentize-js, which makes the component |\n| `wit/world.wit` | which hooks it exports |",
            wit: "wit/deps/reprise-policy/policy.wit",
            needs: "; needs Node.js 20.19 or later",
            more: "",
        },
        Language::Python => Words {
            written_in: "written in Python, and carries a Python (about 18 MB): a policy of the class `scripted`",
            files: "| `policy.py` | the policy |\n| `requirements.txt` | componentize-py, which makes the component |\n| `wit/world.wit` | which hooks it exports |",
            wit: "wit/deps/reprise-policy/policy.wit",
            needs: "; needs Python 3.10 or later",
            more: "",
        },
        Language::C => Words {
            written_in: "written in C, without a C library",
            files: "| `policy.c` | the policy |\n| `json.h` | a small reader of JSON |\n| `plugin.c`, `plugin.h` | the contract in C, generated |\n| `libc/` | the few functions of a C library that are needed |\n| `wit/world.wit` | which hooks it exports |",
            wit: "wit/deps/reprise-policy/policy.wit",
            needs: "; needs clang 14 or later with lld",
            more: "",
        },
    }
}

/// A text with its places filled.
pub(super) fn filled(text: &str, name: &str, language: Language) -> String {
    let words = words(language);
    let more = if words.more.is_empty() { String::new() } else { format!("\n```sh\n{}\n```\n", words.more) };
    [
        ("{{written_in}}", words.written_in),
        ("{{files}}", words.files),
        ("{{wit}}", words.wit),
        ("{{needs}}", words.needs),
        ("{{more}}", more.as_str()),
        ("{{name}}", name),
        ("{{version}}", env!("CARGO_PKG_VERSION")),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (place, with)| text.replace(place, with))
}
