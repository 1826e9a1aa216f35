#!/usr/bin/env bash
# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
#
# Builds the workspace when something that a build reads has changed: the list of files, a package
# manifest, a message, a Python module that is compiled (it imports cython). All others are linked,
# not copied (--symlink-install), so editing one needs no build. Called by setup.bash in the
# environment that it made.
set -u
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export VLA_LOG="$root/log/setup_build.log"
# shellcheck source=environment/steps.bash
source "$root/environment/steps.bash"
cd "$root" || exit 1

# Interface packages of robots, as stand-ins under upstream's names: only where the real one is absent.
stand_ins=()
for package in compat/*/CMakeLists.txt; do
  package="$(basename "$(dirname "$package")")"
  found="$(IFS=:; for p in ${AMENT_PREFIX_PATH:-}; do
    case "$p" in "$root"/install*) continue ;; esac
    ls "$p/share/ament_index/resource_index/packages/$package" 2>/dev/null
  done)"
  [ -n "$found" ] || stand_ins+=("compat/$package")
done

wanted="$( {
  echo "${stand_ins[*]}"
  find compat -name '*.msg' -print0 | LC_ALL=C sort -z | xargs -0 cat
  find src launch config models -type f -not -path '*/__pycache__/*' -not -path '*.egg-info/*' -not -path '*/.pytest_cache/*' -not -path '*/.hypothesis/*' -not -name '*.so' | LC_ALL=C sort
  find src \( -name package.xml -o -name setup.py -o -name setup.cfg -o -name CMakeLists.txt \
    -o -name '*.msg' -o -name '*.srv' -o -name '*.action' -o -path '*/scripts/*' \) -type f -print0 | LC_ALL=C sort -z | xargs -0 cat
  grep -rlZ --include='*.py' '^import cython$' src | LC_ALL=C sort -z | xargs -0 cat
  cat colcon.meta environment/colcon_defaults.yaml .venv/.vla_environment
} | sha256sum | cut -d' ' -f1)"
[ "$(cat install/.vla_built 2>/dev/null)" = "$wanted" ] && exit 0

mkdir -p install
exec 9>install/.vla_lock
flock 9 2>/dev/null
[ "$(cat install/.vla_built 2>/dev/null)" = "$wanted" ] && exit 0
rm -f install/.vla_built
# A package that was removed from src must not stay on the path.
for built in install/*/; do
  name="$(basename "$built")"
  case " src/$name ${stand_ins[*]} " in *" compat/$name "*) continue ;; esac
  [ -d "src/$name" ] || rm -rf "install/$name" "build/$name"
done
step "building the workspace" colcon build --event-handlers console_direct- --base-paths . "${stand_ins[@]}" || {
  echo "            The workspace does not build; the whole log is in log/latest_build." >&2
  exit 1
}
echo "$wanted" >install/.vla_built
