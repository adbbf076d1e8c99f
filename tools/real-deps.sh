#!/bin/sh
# Installs what the tests with the build tag real need: a Chromium, a font
# with Korean letters so that screenshots show words and not boxes, and the programs that cut
# sets are held against: SCRAM, and clasp with its grounder gringo. npm fetches
# axe-core, which checks how accessible the public pages are, and altcha-lib, which proofs
# of work are held against. PostgreSQL keeps claims.
set -eu
missing=
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
[ -n "$(fc-list :lang=ko 2>/dev/null)" ] || missing="$missing fontconfig fonts-noto-cjk"
for program in scram gringo clasp npm node; do
	command -v $program >/dev/null 2>&1 || missing="$missing $program"
done
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
# fetched NAME VERSION FILE: an npm package in the folder where the tests look, that of os.UserCacheDir.
fetched() {
	dir=${XDG_CACHE_HOME:-$HOME/.cache}/bongsu/$1
	[ -f "$dir/node_modules/$1/$3" ] && return
	mkdir -p "$dir"
	npm install --silent --no-audit --no-fund --ignore-scripts --no-save --prefix "$dir" "$1@$2" >/dev/null
}
packages() {
	fetched axe-core 4.14.1 axe.min.js
	fetched altcha-lib 2.8.0 package.json
}
if [ -z "$missing" ]; then
	packages
	exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "test-real needs these packages:$missing" >&2
	echo "install them, for example with: sudo apt-get install$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -qq -y --no-install-recommends $missing >/dev/null
packages
