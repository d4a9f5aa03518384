#!/usr/bin/env bash
# Shows the sandboxes, on a cluster of its own or on the current one; ./demo.sh --help lists the options.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [ ! -x node_modules/.bin/node ]; then
  for word in "$@"; do
    if [ "$word" = --no-build ]; then
      echo 'demo.sh: nothing is installed here yet; run it once without --no-build' >&2
      exit 1
    fi
  done
  npm ci
fi
exec node_modules/.bin/node extender/cli/sandbox-demo.ts "$@"
