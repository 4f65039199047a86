# shellcheck shell=bash
# What the scripts share. To be sourced.

# Progress and faults go to stderr: stdout is for what a script is asked for.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "$@"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# The major version of the java on the path; 0 when there is none that works.
java_version() {
  local version=''
  if have java; then version=$(java -XX:+UseSerialGC -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'); fi
  echo "${version:-0}"
}
