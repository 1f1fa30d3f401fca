#!/usr/bin/env bash
# Breaks the protocol on purpose, one patch at a time, and checks that the tests that each patch names turn red. A patch that no longer
# applies, or that does not compile, is a failure too: it proves nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git ls-files -z --cached --others --exclude-standard -- '*.go' go.mod go.sum '*.yaml' '*.yml' docs actors/testdata engine | xargs -0 cp --parents -t "$tree"

alive=0
for patch in mutants/*.patch; do
	name=$(basename "$patch" .patch)
	read -r -a tests < <(sed -n 's/^Tests: //p' "$patch")
	if [[ "${tests[*]}" == *engine/pipeline* ]]; then tests+=(-rapid.shrinktime=1s -rapid.nofailfile); fi
	(cd "$tree" && git apply "$OLDPWD/$patch")
	log="$tree/../$(basename "$tree").log"
	if ! (cd "$tree" && go vet "${tests[0]}" >"$log" 2>&1); then
		printf '%-34s does not compile\n' "$name"
		cat "$log"
		alive=1
	elif (cd "$tree" && go test -count=1 -timeout 5m "${tests[@]}" >"$log" 2>&1); then
		printf '%-34s SURVIVES\n' "$name"
		alive=1
	else
		printf '%-34s caught: %s\n' "$name" "$(grep -m1 -Eo -- '--- FAIL: [A-Za-z0-9_/]+|panic: .{0,60}' "$log" || echo 'timeout')"
	fi
	(cd "$tree" && git apply -R "$OLDPWD/$patch")
	rm -f "$log"
done
exit $alive
