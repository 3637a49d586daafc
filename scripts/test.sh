#!/bin/sh
# Everything that must hold before a change is merged; `make check` runs it without the end-to-end tests.
# Each stage says how long it took. The first that fails ends the run.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

started=$(date +%s)
stage() {
  printf '\n=== %s\n' "$1"
  begun=$(date +%s)
  shift
  "$@"
  now=$(date +%s)
  printf '=== passed in %s s (%s s since the start)\n' $((now - begun)) $((now - started))
}

docs() {
  RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
}

# A file that hangs is a failure, not a reason to wait for the machine's patience to end.
end_to_end() {
  set -- tests/e2e/*.test.js
  CHROMIUM=${CHROMIUM:-$(command -v chromium)}
  export CHROMIUM
  [ -e "$1" ] || { echo "there are no end-to-end tests" >&2; exit 1; }
  node --test --test-concurrency=1 --test-timeout=900000 --test-reporter=spec "$@"
}

if [ "${1:-}" = --no-e2e ]; then
  stage "what must be installed" sh scripts/install.sh
else
  stage "what must be installed" sh scripts/install.sh --tests
fi
stage "formatting" cargo fmt --check
stage "clippy for the host" cargo clippy --locked --all-targets -- -D warnings
stage "clippy for the Worker" cargo clippy --locked --lib --target wasm32-unknown-unknown -- -D warnings
stage "documentation" docs
stage "host tests" cargo test --locked
if [ "${1:-}" != --no-e2e ]; then
  stage "the Worker" sh scripts/build.sh
  stage "end-to-end tests" end_to_end
fi
printf '\nAll passed in %s s.\n' $(($(date +%s) - started))
