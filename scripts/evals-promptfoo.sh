#!/usr/bin/env bash
# Installs the promptfoo that runs exported tests (test/evals), and prints its path: export COUNTERSIGN_PROMPTFOO=$(bash scripts/evals-promptfoo.sh)
# The folder is .cache/promptfoo in the repository, or the one named. What is there already and still fits is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.123.1
folder=${1:-.cache/promptfoo}

# A run that broke off leaves no mark.
if [ "$(cat "$folder/.version" 2>/dev/null)" != "$version" ]; then
  rm -rf "$folder"
  mkdir -p "$folder"
  echo '{ "private": true }' >"$folder/package.json"
  install() { npm install --prefix "$folder" --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >&2; }
  # Its optional packages are hundreds of megabytes of providers; of them it needs only its database to start.
  install "promptfoo@$version"
  install "$(node -p '
    const { optionalDependencies } = require(process.argv[1]);
    const name = `@libsql/${process.platform}-${process.arch}${process.platform === "linux" ? "-gnu" : ""}`;
    `${name}@${optionalDependencies[name]}`' "$(cd "$folder" && pwd)/node_modules/libsql/package.json")"
  echo "$version" >"$folder/.version"
fi
echo "$(cd "$folder" && pwd)/node_modules/promptfoo/dist/src/entrypoint.js"
