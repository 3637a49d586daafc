#!/bin/sh
# Builds the Worker into build/ if what it is made of has changed; wrangler runs this as its build command, also at every change.
# For `wrangler dev` (or with --dev) it prepares the local store as well, so that plain `npx wrangler dev` works after `npm ci`.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.tools/bin:$PWD/node_modules/.bin:$PATH"

dev=no
if [ "${1:-}" = --dev ] || [ "${WRANGLER_COMMAND:-}" = dev ]; then dev=yes; fi

say() { printf '[build] %s\n' "$*"; }

# One build at a time: `make dev` beside `npx wrangler dev` would write the same files.
mkdir -p .tools
if command -v flock >/dev/null 2>&1; then
  exec 9>.tools/build.lock
  flock -n 9 || { say "waiting for another build"; flock 9; }
fi

# A hash of names and contents. Times of modification would not do: git changes them without need, and not always when needed.
hash_of() {
  find "$@" -type f ! -path src/edge/entry.js ! -path src/edge/tray.js 2>/dev/null | LC_ALL=C sort | {
    while IFS= read -r file; do printf '%s\n' "$file"; cat "$file"; done
    rustc --version
  } | git hash-object --stdin
}

# worker-build runs wasm-opt even if cargo had nothing to do, so it is not called without need.
# entry.js and tray.js are left out: wrangler bundles them, the crate does not contain them.
stamp=build/.inputs
inputs=$(hash_of src migrations Cargo.toml Cargo.lock package-lock.json .cargo scripts/build.sh)${KEEP_NAMES:+-named}
if [ ! -f build/index.js ] || [ ! -f build/index_bg.wasm ] || [ "$(cat $stamp 2>/dev/null)" != "$inputs" ]; then
  sh scripts/install.sh
  say "building the Worker"
  rm -f $stamp
  # Without these worker-build would download its tools from elsewhere than the package registries.
  # Its own backtrace would bury the compiler's message.
  RUST_BACKTRACE=0 \
  WASM_BINDGEN_BIN="$PWD/.tools/bin/wasm-bindgen" \
  WASM_OPT_BIN="$PWD/node_modules/.bin/wasm-opt" \
  ESBUILD_BIN="$PWD/node_modules/.bin/esbuild" \
    worker-build --release
  # The names of functions are a tenth of the module; a panic's message names file and line all the same.
  # The profiler wants them: KEEP_NAMES=yes.
  if [ "${KEEP_NAMES:-}" != yes ]; then
    wasm-opt --strip-debug --strip-producers --enable-mutable-globals --enable-sign-ext --enable-nontrapping-float-to-int \
      --enable-bulk-memory --enable-multivalue --enable-reference-types --enable-exception-handling \
      build/index_bg.wasm -o build/stripped.wasm
    mv build/stripped.wasm build/index_bg.wasm
  fi
  # The hash from before the build: a file that changed meanwhile makes the next run build again.
  printf '%s\n' "$inputs" >$stamp
fi

[ $dev = yes ] || exit 0

# Secrets of this machine's development store, made once. Wrangler reads the file after this command.
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
secret() {
  grep -q "^$1=" .dev.vars 2>/dev/null && return
  say "writing a random $1 to .dev.vars"
  (umask 077; printf '%s=%s\n' "$1" "$2" >>.dev.vars)
}
secret CLICK_KEYS "0:$(random)"
secret ADMIN_TOKEN "$(random)"

# The stamp lies in the store, so that a deleted store takes it along.
state=${STATE:-.wrangler/state}
migrations=$(hash_of migrations)
if [ ! -d "$state/v3/d1" ] || [ "$(cat "$state/migrations" 2>/dev/null)" != "$migrations" ]; then
  say "applying the migrations to the local store in $state"
  # CI answers wrangler's question whether to go on. Its table is for people; it is shown if something fails.
  if ! shown=$(CI=true wrangler d1 migrations apply DB --local --persist-to "$state" 2>&1 </dev/null); then
    printf '%s\n' "$shown" >&2
    exit 1
  fi
  printf '%s\n' "$migrations" >"$state/migrations"
fi
