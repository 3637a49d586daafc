//! `docs/postbacks.md` says what the code does: every parameter, reason and warning stands in it,
//! and its samples are run: against the vectors of another implementation, and as they are sent.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use backtrail::domain::parameters::{NAMES, parse_postback};
use backtrail::domain::signature::{Signed, SigningKey, verify};
use backtrail::domain::time::Timestamp;
use backtrail::domain::verdict::{Reason, WarningCode};
use backtrail::http::reply::status_of;
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../docs/postbacks.md");
const VECTORS: &str = include_str!("../fixtures/signatures.json");

/// What the document says about a name: the lines of its tables that begin with it.
fn row(name: &str) -> Option<&'static str> {
    DOCUMENT.lines().find(|line| {
        // A sentence that begins a line of a table describes no parameter.
        let rest = line.strip_prefix("| ").filter(|rest| rest.starts_with('`'));
        let first = rest.and_then(|rest| rest.split(" | ").next());
        first.is_some_and(|first| first.split(", ").any(|cell| cell == format!("`{name}`")))
    })
}

#[test]
fn every_parameter_and_each_other_name_of_it_stands_in_the_document() {
    let mut names = 0;
    for (wire, canonical) in NAMES.iter().copied() {
        let row = row(canonical).unwrap_or_else(|| panic!("{canonical} is not described"));
        assert!(row.contains(&format!("`{wire}`")), "{wire} is not named beside {canonical}");
        names += 1;
    }
    assert!(names > 50, "{names}");
    assert_eq!(row("colour"), None, "the control");
}

#[test]
fn every_reason_stands_in_the_document_with_its_status() {
    for reason in Reason::ALL {
        let row = row(reason.as_str()).unwrap_or_else(|| panic!("{reason:?} is not described"));
        let status = row.split(" | ").nth(1).unwrap();
        assert_eq!(status, status_of(*reason).to_string(), "{reason:?}");
    }
}

#[test]
fn every_warning_stands_in_the_document() {
    for code in WarningCode::ALL {
        let name = format!("`{}`", code.as_str());
        assert!(DOCUMENT.contains(&name), "{name} is not described");
    }
}

/// How the samples of a language are run.
struct Language {
    name: &'static str,
    program: &'static [&'static str],
    /// Calls `sign` with the arguments of the program.
    call: &'static str,
    is_optional: bool,
}

const LANGUAGES: [Language; 4] = [
    Language { name: "bash", program: &["bash", "-euc"], call: "sign \"$@\"", is_optional: false },
    Language {
        name: "js",
        program: &["node", "--input-type=module", "-e"],
        call: "console.log(sign(...process.argv.slice(1)))",
        is_optional: false,
    },
    Language {
        name: "python",
        program: &["python3", "-c"],
        call: "import sys\nprint(sign(*sys.argv[1:]))",
        is_optional: false,
    },
    // Not every machine that builds Backtrail has it; `scripts/install.sh --tests` installs it where it can.
    Language {
        name: "php",
        program: &["php", "-r"],
        call: "echo sign(...array_slice($argv, 1));",
        is_optional: true,
    },
];

impl Language {
    /// The samples of the document: the one that signs, and the one that sends.
    fn samples(&self) -> [String; 2] {
        let fence = format!("```{}\n", self.name);
        let samples: Vec<String> = DOCUMENT
            .split(&fence)
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap().replace("<?php\n", ""))
            .collect();
        samples.try_into().unwrap_or_else(|found| panic!("{}: {found:?}", self.name))
    }

    fn is_there(&self) -> bool {
        let found = Command::new(self.program[0]).arg("--version").stdout(Stdio::null()).status();
        let is_there = found.is_ok();
        if !is_there {
            eprintln!("{} is missing: the samples in it are not run", self.program[0]);
        }
        assert!(is_there || self.is_optional, "{} is needed for this test", self.program[0]);
        is_there
    }

    fn command(&self, code: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program[0]);
        command.args(&self.program[1..]).arg(code);
        // The first one is the name of the program, or ends the options of the interpreter.
        command.args(match self.name {
            "bash" => Some("sample"),
            "python" => None,
            _ => Some("--"),
        });
        command.args(arguments);
        command
    }
}

#[test]
fn the_samples_sign_as_the_vectors_do() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    for language in LANGUAGES.iter().filter(|language| language.is_there()) {
        let [sign, _] = language.samples();
        let code = format!("{sign}\n{}", language.call);
        for vector in vectors["requests"].as_array().unwrap() {
            let names = ["secret", "timestamp", "method", "host", "path", "query", "body"];
            let arguments = names.map(|name| vector[name].as_str().unwrap());
            let output = language.command(&code, &arguments).output().unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                printed.trim_end(),
                vector["signature"].as_str().unwrap(),
                "{}: {}: {complaint}",
                language.name,
                vector["name"]
            );
        }
    }
}

/// A request as it came over the wire.
struct Received {
    method: String,
    target: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

/// Takes one request and answers that it is recorded.
fn receives(mut stream: TcpStream) -> Received {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the sample did not send a request");
        bytes.extend_from_slice(&buffer[..read]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ').map(str::to_owned);
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the body ended early");
        body.extend_from_slice(&buffer[..read]);
    }
    stream
        .write_all(
            b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"ok\":true}",
        )
        .unwrap();
    Received { method: first.next().unwrap(), target: first.next().unwrap(), headers, body }
}

#[test]
fn the_samples_send_what_they_sign() {
    const SECRET: &str = "bts_a-secret-of-the-test";
    for language in LANGUAGES.iter().filter(|language| language.is_there()) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let [sign, send] = language.samples();
        let base = "https://demo-tracking.example.com";
        assert!(send.contains(base), "{}", language.name);
        let code = format!("{sign}\n{}", send.replace(base, &format!("http://{host}")));
        let server = thread::spawn(move || receives(listener.accept().unwrap().0));
        let mut command = language.command(&code, &[]);
        let output = command.env("BACKTRAIL_SECRET", SECRET).env("no_proxy", "*").output().unwrap();
        // If the sample did not come by, this ends the wait for it.
        let _ = TcpStream::connect(&host);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let received = server.join().unwrap_or_else(|_| panic!("{}: {complaint}", language.name));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(printed.contains("{\"ok\":true}"), "{}: {printed} {complaint}", language.name);

        let header = |name: &str| received.headers.get(name).map_or("", String::as_str);
        let (path, query) =
            received.target.split_once('?').unwrap_or((received.target.as_str(), ""));
        let content_type = Some(header("content-type")).filter(|text| !text.is_empty());
        let (sent, warnings) = parse_postback(
            Some(&query.replace("CLICK_ID", "x")),
            content_type,
            &String::from_utf8(received.body.clone())
                .unwrap()
                .replace("CLICK_ID", "x")
                .into_bytes(),
        )
        .unwrap();
        assert!(warnings.is_empty());
        assert_eq!((sent.get("order_id"), sent.get("amount")), (Some("1001"), Some("49.90")));
        let signed = Signed {
            method: &received.method,
            host: header("host"),
            path,
            query,
            body: &received.body,
            timestamp: header("x-backtrail-timestamp"),
            signature: header("x-backtrail-signature"),
        };
        let timestamp = sent.get("timestamp");
        let seconds = timestamp.unwrap_or(signed.timestamp).parse::<u64>().unwrap();
        let now = Timestamp::from_ms(seconds * 1_000);
        let keys = [SigningKey::new(SECRET).unwrap()];
        let verified = verify(&keys, &signed, timestamp, now);
        assert_eq!(verified, Ok(()), "{}: {}", language.name, received.target);
        let keys = [SigningKey::new("bts_another").unwrap()];
        assert!(verify(&keys, &signed, timestamp, now).is_err(), "the control");
    }
}

#[test]
fn the_example_of_the_document_is_a_vector() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let vector = vectors["requests"].as_array().unwrap().iter();
    let vector = vector.clone().find(|v| v["name"] == "GET with headers").unwrap();
    let line = DOCUMENT.lines().find(|line| line.starts_with("5. For `secret`")).unwrap();
    for name in ["secret", "timestamp", "method", "host", "path", "query", "signature"] {
        let part = vector[name].as_str().unwrap();
        assert!(line.contains(&format!("`{part}`")), "{name}");
    }
}
