# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
# Sourced by create.bash and build.bash: one progress line per long step, output kept in a log.

# step "what is done" command...   On failure: the log's end and where the rest is.
step() {
  local title="$1" log="$VLA_LOG" start=$SECONDS pid status
  shift
  mkdir -p "$(dirname "$log")"
  printf '\n== %s: %s\n' "$title" "$*" >>"$log"
  "$@" >>"$log" 2>&1 </dev/null &
  pid=$!
  # A Ctrl-C must not leave an installer running behind the shell.
  trap 'kill "$pid" 2>/dev/null; trap - INT; kill -INT $$' INT
  if [ -t 2 ]; then
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r  … %s (%d s)' "$title" "$((SECONDS - start))" >&2
      sleep 0.5
    done
    printf '\r\033[K' >&2
  else
    printf '  … %s\n' "$title" >&2
  fi
  wait "$pid"
  status=$?
  trap - INT
  if [ "$status" -ne 0 ]; then
    printf '  ✗ %s (failed after %d s). The end of %s:\n\n' "$title" "$((SECONDS - start))" "$log" >&2
    tail -n 25 "$log" >&2
    return "$status"
  fi
  printf '  ✓ %s (%d s)\n' "$title" "$((SECONDS - start))" >&2
}

# fail "what is wrong" "what to do"
fail() {
  printf 'setup.bash: %s\n            %s\n' "$1" "$2" >&2
  exit 1
}
