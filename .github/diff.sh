#!/bin/sh
# What action.yml runs: finds the base of the event, fetches what a shallow clone lacks, runs `bench diff`.
# Environment: BENCH (the program), BASE, BUDGET, ARGS, FOLDER (the project), EVENT, BASE_SHA, OUT, and
# GITHUB_SHA, GITHUB_OUTPUT, GITHUB_STEP_SUMMARY as GitHub sets them.
set -eu

has() {
  git rev-parse --quiet --verify "$1^{commit}" > /dev/null
}

fetch() {
  git fetch --quiet --no-tags "$@" 2> /dev/null
}

# The whole history: the commit where a branch left its base may be anywhere in it.
complete() {
  if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
    fetch --unshallow origin || {
      echo "::error::the clone is shallow and cannot be completed: give actions/checkout fetch-depth: 0" >&2
      exit 3
    }
  fi
}

# A pull request is checked out as its merge into the base: the first parent is that base.
merged_into() {
  [ "$EVENT" = pull_request ] && [ "$(git rev-parse HEAD)" = "$GITHUB_SHA" ] || return 1
  has 'HEAD^1' || fetch --deepen=1 origin "$GITHUB_SHA" || fetch --deepen=1 origin || true
  has 'HEAD^2' && git rev-parse 'HEAD^1'
}

named() {
  complete
  if has "$1"; then
    echo "$1"
  elif has "origin/$1"; then
    echo "origin/$1"
  elif fetch origin "$1"; then
    git rev-parse FETCH_HEAD
  else
    echo "::error::the base $1 is in neither the clone nor origin: give actions/checkout fetch-depth: 0" >&2
    exit 3
  fi
}

cd "$FOLDER"
if [ -n "$BASE" ]; then
  base=$(named "$BASE")
elif ! base=$(merged_into); then
  case "$BASE_SHA" in
    "" | 0000000000000000000000000000000000000000)
      echo "::error::the event $EVENT has no base: give the action the input base" >&2
      exit 2
      ;;
  esac
  base=$(named "$BASE_SHA")
fi
echo "base: $base"

code=0
set -f # ARGS is split at spaces, and nothing else
# shellcheck disable=SC2086
"$BENCH" diff "$base" --budget "$BUDGET" --out "$OUT" $ARGS || code=$?
{
  echo "code=$code"
  echo "folder=$OUT"
} >> "$GITHUB_OUTPUT"
if [ -f "$OUT/verdict.md" ]; then cat "$OUT/verdict.md" >> "$GITHUB_STEP_SUMMARY"; fi
if [ "$code" -eq 3 ]; then
  echo "::warning::could not be judged: see the summary" # the machine's doing, or wrong in the base as well
  exit 0
fi
exit "$code"
