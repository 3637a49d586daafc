//! What the compiler cannot enforce about the code (design.md 7), as a program over `src/`. Each
//! rule is a function of one file, and each has a control: a file that breaks it.

use std::path::{Path, PathBuf};

/// A source file, and its text without comments and string literals.
struct File {
    path: String,
    text: String,
    /// The code before its tests; string literals are emptied, comments removed.
    code: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        let is_test = path.ends_with("/tests.rs");
        let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
        let code = if is_test { String::new() } else { without_comments_and_texts(before_tests) };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    fn layer(&self) -> &str {
        let rest = self.path.strip_prefix("src/").unwrap();
        rest.split('/').next().unwrap()
    }
}

/// Rust source with string literals emptied and comments dropped.
fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |at| &rest[at..]);
        } else if c == '"' {
            code.push_str("\"\"");
            let mut chars = rest[1..].char_indices();
            let mut end = rest.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '\\' => drop(chars.next()),
                    '"' => {
                        end = at + 2;
                        break;
                    }
                    _ => {}
                }
            }
            rest = &rest[end..];
        } else if let Some(length) = ["'\"'", "'\\\"'", "'\\''"]
            .iter()
            .find_map(|quote| rest.starts_with(quote).then_some(quote.len()))
        {
            rest = &rest[length..];
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

type Rule = (&'static str, fn(&File) -> Option<String>, &'static [(&'static str, &'static str)]);

/// Every rule: what it says, how it finds an offence, and files that offend.
const RULES: &[Rule] = &[
    (
        "arrows between the layers go one way",
        imports_forbidden_layer,
        &[
            ("src/domain/x.rs", "//! X.\nuse crate::app::judge;\n"),
            ("src/domain/x.rs", "//! X.\nuse super::super::store::Row;\n"),
            ("src/app/x.rs", "//! X.\nfn f() { crate::http::respond() }\n"),
            ("src/app/x.rs", "//! X.\nuse crate::{domain, store};\n"),
            ("src/http/x.rs", "//! X.\nuse crate::store::Stores;\n"),
            ("src/store/x.rs", "//! X.\nuse crate::http::reply;\n"),
            ("src/store/x.rs", "//! X.\nuse crate::edge;\n"),
        ],
    ),
    (
        "the platform is named in edge/ only",
        names_platform,
        &[
            ("src/store/x.rs", "//! X.\nuse worker::D1Database;\n"),
            ("src/app/x.rs", "//! X.\nfn f() -> js_sys::Date { }\n"),
            ("src/http/x.rs", "//! X.\n#[wasm_bindgen]\nfn f() {}\n"),
            ("src/http/x.rs", "//! X.\n#[cfg(target_arch = \"wasm32\")]\nfn f() {}\n"),
        ],
    ),
    (
        "the domain neither waits nor touches the world",
        domain_does_io,
        &[
            ("src/domain/x.rs", "//! X.\nasync fn f() {}\n"),
            ("src/domain/x.rs", "//! X.\nuse std::time::SystemTime;\n"),
            ("src/domain/x.rs", "//! X.\nuse std::fs;\n"),
            ("src/domain/x.rs", "//! X.\nuse getrandom::fill;\n"),
            ("src/domain/x.rs", "//! X.\n#[derive(Serialize)]\nstruct S;\n"),
        ],
    ),
    (
        "every module begins with what it is",
        lacks_module_doc,
        &[("src/app/x.rs", "use std::rc::Rc;\n"), ("src/app/x.rs", "// X.\n//! X.\n")],
    ),
    (
        "no file has more than 400 lines",
        is_long,
        &[("src/app/x.rs", include_str!("../../Cargo.lock"))],
    ),
    (
        "nothing is left to do",
        has_todo,
        &[
            ("src/app/x.rs", "//! X.\n// TODO: all of it\n"),
            ("src/app/x.rs", "//! X.\n// FIXME\n"),
            ("src/app/x.rs", "//! X.\nfn f() { todo!() }\n"),
        ],
    ),
    (
        "status codes stand in http/ only",
        has_status_code,
        &[
            ("src/app/x.rs", "//! X.\nfn f() -> u16 { 404 }\n"),
            ("src/store/x.rs", "//! X.\nlet status = 503;\n"),
        ],
    ),
    (
        "SQL stands in store/ only",
        has_sql,
        &[
            ("src/app/x.rs", "//! X.\nconst A: &str = \"SELECT 1 FROM clicks\";\n"),
            ("src/http/x.rs", "//! X.\nconst A: &str = \"INSERT INTO clicks VALUES (1)\";\n"),
            ("src/edge/x.rs", "//! X.\nconst A: &str = \"DELETE FROM clicks\";\n"),
        ],
    ),
    (
        "a module is named after what it is about",
        is_named_utils,
        &[
            ("src/app/utils.rs", "//! X.\n"),
            ("src/http/helpers.rs", "//! X.\n"),
            ("src/domain/util/mod.rs", "//! X.\n"),
        ],
    ),
];

fn imports_forbidden_layer(file: &File) -> Option<String> {
    let forbidden: &[&str] = match file.layer() {
        "domain" => &["app", "http", "store", "edge"],
        "app" => &["http", "store", "edge"],
        "http" => &["store", "edge"],
        "store" => &["http", "edge"],
        _ => &[],
    };
    let code: String = file.code.split_whitespace().collect::<Vec<_>>().join(" ");
    let grouped = code.split("crate::{").skip(1).map(|rest| rest.split(';').next().unwrap_or(rest));
    let grouped: Vec<&str> =
        grouped.flat_map(|group| group.split([' ', ',', '{', '}', ':'])).collect();
    let offence = forbidden.iter().find(|layer| {
        let path = |prefix: &str| {
            code.match_indices(&format!("{prefix}{layer}")).any(|(at, found)| {
                !code[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        };
        path("crate::")
            || path("super::super::") && file.path.matches('/').count() == 2
            || grouped.contains(layer)
    })?;
    Some(format!("{} imports {offence}", file.layer()))
}

fn names_platform(file: &File) -> Option<String> {
    if file.layer() == "edge" || file.path == "src/lib.rs" {
        return None;
    }
    let words = ["worker::", "wasm_bindgen", "js_sys", "web_sys", "cfg(target_arch"];
    words.iter().find(|word| has_word(&file.code, word)).map(|word| format!("names {word}"))
}

fn domain_does_io(file: &File) -> Option<String> {
    if file.layer() != "domain" {
        return None;
    }
    let words = [
        "async",
        "await",
        "SystemTime",
        "Instant",
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "getrandom",
        "Serialize",
        "println!",
        "RefCell",
        "Mutex",
        "thread",
    ];
    words.iter().find(|word| has_word(&file.code, word)).map(|word| format!("has {word}"))
}

fn lacks_module_doc(file: &File) -> Option<String> {
    (!file.text.starts_with("//! ")).then(|| "begins without //!".to_owned())
}

fn is_long(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (lines > 400).then(|| format!("has {lines} lines"))
}

fn has_todo(file: &File) -> Option<String> {
    ["TODO", "FIXME", "HACK", "todo!", "unimplemented!"]
        .iter()
        .find(|word| has_word(&file.text, word))
        .map(|word| format!("has {word}"))
}

/// Numbers that mean a status on this wire. `500` is a bound of pages, and 400 days one of cookies.
fn has_status_code(file: &File) -> Option<String> {
    if matches!(file.layer(), "http" | "edge") {
        return None;
    }
    let codes = [
        "200", "201", "204", "302", "401", "403", "404", "405", "409", "410", "413", "415", "422",
        "429", "503",
    ];
    let found = codes.iter().find(|code| {
        file.code.match_indices(**code).any(|(at, _)| {
            let before = file.code[..at].chars().next_back().unwrap_or(' ');
            let after = file.code[at + 3..].chars().next().unwrap_or(' ');
            let is_number = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            !is_number(before) && !is_number(after)
        })
    })?;
    // Capacities and bounds are constants with names of their own.
    let is_bound = |line: &str| {
        line.trim_start().starts_with("const ") || line.trim_start().starts_with("pub const ")
    };
    let lines = file.code.lines().filter(|line| line.contains(found));
    (!lines.clone().all(is_bound)).then(|| format!("has {found}"))
}

fn has_sql(file: &File) -> Option<String> {
    if file.layer() == "store" {
        return None;
    }
    let before_tests = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let keywords =
        ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "ON CONFLICT", " WHERE ", "json_each"];
    let lines = before_tests.lines().filter(|line| !line.trim_start().starts_with("//"));
    let offence =
        lines.flat_map(|line| keywords.iter().find(|word| line.contains(*word))).next()?;
    Some(format!("has {offence}"))
}

fn is_named_utils(file: &File) -> Option<String> {
    let vague = ["util", "utils", "helper", "helpers", "common", "misc", "shared"];
    let mut parts = file.path.split(['/', '.']);
    parts.find(|part| vague.contains(part)).map(|part| format!("is named {part}"))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let ends_in_letter = word.ends_with(is_letter);
        !(before.is_some_and(is_letter) || ends_in_letter && after.is_some_and(is_letter))
    })
}

/// Every Rust file of a folder, by its path in the repository.
fn files_of(folder: &str) -> Vec<File> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join(folder), &mut paths);
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    paths
        .iter()
        .map(|path| File::new(&name(path), &std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn the_code_follows_its_own_rules() {
    let files = files_of("src");
    assert!(files.len() > 60, "the walk found only {} files", files.len());
    let mut offences = Vec::new();
    for (says, offends, _) in RULES {
        for file in &files {
            offences
                .extend(offends(file).map(|what| format!("{}: {says}, but it {what}", file.path)));
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn tests_are_short_files_as_well() {
    let long: Vec<String> = files_of("tests")
        .iter()
        .filter_map(|file| is_long(file).map(|what| format!("{} {what}", file.path)))
        .collect();
    assert_eq!(long, [""; 0]);
}

#[test]
fn every_rule_can_be_broken() {
    for (says, offends, controls) in RULES {
        for (path, text) in *controls {
            assert!(offends(&File::new(path, text)).is_some(), "{says}: {text:.80}");
        }
    }
}

#[test]
fn comments_and_texts_are_no_code() {
    let code = without_comments_and_texts("a \"b // \\\" c\" d // e\n'\"' f \"\" g");
    assert_eq!(code, "a \"\" d \n f \"\" g");
}
