#!/bin/sh
# The static checks of `make check`. Each prints its name and, when it finds
# something, what; all of them run before the script fails.
set -u
GO=${GO:-go}
tool="$GO tool -modfile=tools/go.mod"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=

# silent NAME COMMAND…: the command must succeed and print nothing.
silent() {
	name=$1
	shift
	if "$@" >"$tmp/out" 2>&1 && ! [ -s "$tmp/out" ]; then
		echo "ok    $name"
	else
		echo "FAIL  $name"
		sed 's/^/      /' "$tmp/out"
		failed="$failed $name"
	fi
}

# same FILE COMMAND…: what the command prints must be the file.
same() {
	file=$1
	shift
	"$@" >"$tmp/new" && diff -u "$file" "$tmp/new"
}

# lint succeeds and says "0 issues." when there is nothing to say.
lint() {
	$tool golangci-lint run ./... >"$tmp/lint" 2>&1 || { cat "$tmp/lint"; return 1; }
}

silent format $tool gofumpt -extra -l .
silent vet $GO vet ./...
silent 'vet (tag real)' $GO vet -tags real ./...
silent 'vet (tools)' $GO -C tools vet ./...
silent lint lint
silent fix $GO fix -diff ./...
silent tidy $GO mod tidy -diff
silent deadcode $tool deadcode -test -tags real ./...
silent 'generated: docs/commands.md' same docs/commands.md bin/bongsu reference

if [ -n "$failed" ]; then
	echo "check: failed:$failed" >&2
	exit 1
fi
