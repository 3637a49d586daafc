#!/bin/sh
# Installs the load generator, wrk, from Debian's or Ubuntu's packages unless it is there already.
set -eu
command -v wrk >/dev/null 2>&1 && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "bench: wrk is missing and there is no apt-get; install wrk 4.1 or newer by hand" >&2
    exit 1
fi
run=""
if [ "$(id -u)" != 0 ]; then run="sudo"; fi
echo "bench: installing wrk"
$run apt-get update -q >/dev/null
$run apt-get install -y -q wrk >/dev/null
command -v wrk >/dev/null
