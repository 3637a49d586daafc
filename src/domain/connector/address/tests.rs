//! Which addresses are refused, and which are not.

use super::*;

const POLICY: Policy<'_> = Policy { allows_loopback: false, zone: "tracker.example" };

/// The fixed list of hostile addresses, in one place so that results can be compared.
const HOSTILE: &[&str] = &[
    "https://127.0.0.1/",
    "https://127.8.9.10/",
    "https://0.0.0.0/",
    "https://0/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://127.0.0.01/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001::1]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[5f00::1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[::1%25eth0]/",
    "https://localhost/",
    "https://localhost./",
    "https://LOCALHOST:8443/",
    "https://a.localhost/",
    "https://localtest.me/",
    "https://a.localtest.me/",
    "https://lvh.me/",
    "https://127.0.0.1.nip.io/",
    "https://7f000001.sslip.io/",
    "https://make-1.2.3.4-rebind-169.254-169.254-rr.1u.ms/",
    "https://7f000001.c0a80001.rbndr.us/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xA9FEA9FE/",
    "https://metadata.google.internal/",
    "https://metadata/",
    "https://instance-data/",
    "https://100.100.100.200/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://printer.local/",
    "https://db.internal/",
    "https://kubernetes.default.svc/",
    "https://user@127.0.0.1/",
    "https://user:password@good.example/",
    "https://good.example\\@127.0.0.1/",
    "https://good.example#@127.0.0.1:22/\\",
    "https://1.1.1.1 &@2.2.2.2# @3.3.3.3/",
    "https://good.example:22/",
    "https://good.example:25/",
    "https://good.example:6379/",
    "https://good.example:11211/",
    "https://good.example:0/",
    "https://good.example:65536/",
    "https://good.example:443:80/",
    "https://good.example:4 43/",
    "https://good.example:-1/",
    "http://good.example/",
    "file:///etc/passwd",
    "gopher://good.example/",
    "dict://good.example:11211/",
    "ftp://good.example/",
    "data:text/html,x",
    "javascript:alert(1)",
    "ws://good.example/",
    "https:good.example",
    "https:/good.example",
    "https:///good.example",
    "//good.example/",
    "https://good%00.example/",
    "https://good%2f.example/",
    "https://good.example%25/",
    "https://good\t.example/",
    "https://good\n.example/",
    "\u{1}https://good.example/",
    "https://[1.2.3.4]/",
    "https://[2606:4700::1]x/",
    "https://x[2606:4700::1]/",
    "https://[2606:4700:0:0:0:0:0:1]/",
    "https://a.workers.dev/",
    "https://demo-tracking.tracker.example/postback",
    "https://tracker.example/",
    "https://.example/",
    "https://a..example/",
    "https:///",
    "https://good.example./",
    "https://good.example.:443/",
    "https://good.example/a/../b",
    "https://good.example/..",
    "https://good.example/./?a",
    "https://good.example/a/%2E%2e/b",
    "https://good.example/.%2e#a",
    "",
];

#[test]
fn no_hostile_address_is_accepted() {
    for url in HOSTILE {
        assert!(check(url, &POLICY).is_err(), "{url}");
    }
    assert!(HOSTILE.len() >= 100);
}

#[test]
fn public_servers_are() {
    for url in [
        "https://example.com/webhook",
        "HTTPS://Example.COM/a?b#c",
        "https://example.com/.a/..b/a../...?/../",
        "https://xn--bcher-kva.example",
        "https://example.com:8443/",
        "https://example.com:80/",
        "https://1.1.1.1/",
        "https://172.32.0.1/",
        "https://100.128.0.1/",
        "https://[2606:4700:4700::1111]/",
        "https://localhost.example.com/",
        "https://internal.example.com/",
        "https://mytracker.example/",
        "https://tracker.example.com/",
        "https://127.example.com/",
        "https://nip.io.example.com/",
    ] {
        assert!(check(url, &POLICY).is_ok(), "{url}");
    }
}

#[test]
fn development_permits_loopback_and_nothing_else() {
    let policy = Policy { allows_loopback: true, zone: "localhost" };
    for url in ["http://127.0.0.1:9999/a", "http://localhost:1234/", "https://[::1]/"] {
        assert!(check(url, &policy).is_ok(), "{url}");
    }
    for url in [
        "http://10.0.0.1/",
        "https://10.0.0.1/",
        "http://example.com/",
        "https://169.254.169.254/",
        "http://demo-tracking.localhost:8787/postback",
        "https://127.0.0.1.nip.io/",
        "http://2130706433/",
    ] {
        assert!(check(url, &policy).is_err(), "{url}");
    }
}

#[test]
fn a_receiver_is_named_by_host_and_unusual_port() {
    for (url, name) in [
        ("https://Example.com/a", "example.com"),
        ("https://example.com:443/a", "example.com"),
        ("https://example.com:8443", "example.com:8443"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("https://[2606:4700::1]:444/", "[2606:4700::1]:444"),
        ("bin:try?status=500", "bin:try"),
        ("nothing", ""),
    ] {
        assert_eq!(receiver(url), name);
    }
}

#[test]
fn the_bound_that_is_named_is_the_bound_that_holds() {
    let policy = Policy { allows_loopback: false, zone: "" };
    let of = |bytes: usize| {
        let address = "https://example.com/";
        check(&format!("{address}{}", "x".repeat(bytes - address.len())), &policy).err()
    };
    assert_eq!(
        (of(MAX_CALLED_BYTES), of(MAX_CALLED_BYTES + 1)),
        (None, Some(AddressFault::Length))
    );
    assert!(AddressFault::Length.message().contains(&MAX_CALLED_BYTES.to_string()));
}
