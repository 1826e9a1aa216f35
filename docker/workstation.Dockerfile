# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
#
# ROS 2 Jazzy workstation: the workspace built on an installed ROS, as a user who is not root.
#
#   docker build -f docker/workstation.Dockerfile -t vla-workstation .
#   docker run --rm -it --shm-size=256m vla-workstation
#
# On another robot or camera, give it the devices and the network:
#   docker run --rm -it --network host --device /dev/video0 vla-workstation \
#     ros2 launch vla_bringup humanoid.launch.py camera:=usb
FROM ros:jazzy-ros-base-noble

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Not pinned: the distribution keeps one version of each, and drops the old ones.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      build-essential \
      libegl1 \
      libgl1-mesa-dri \
      libopengl0 \
      libusb-1.0-0 \
      python3-dev \
      python3-venv \
      ros-jazzy-cv-bridge \
      ros-jazzy-diagnostic-updater \
      ros-jazzy-launch-testing-ament-cmake \
      ros-jazzy-tf2-msgs \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --shell /bin/bash robot \
 && install -d -o robot -g robot /workspace
USER robot
WORKDIR /workspace

# The environment changes less often than the sources: a layer of its own.
COPY --chown=robot:robot setup.bash colcon.meta ./
COPY --chown=robot:robot environment environment
COPY --chown=robot:robot compat compat
COPY --chown=robot:robot config config
RUN VLA_NO_BUILD=1 source setup.bash

COPY --chown=robot:robot . .
RUN source setup.bash

# A container has a network namespace of its own; with --network host the range keeps to this machine.
ENV ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST \
    ROS_DOMAIN_ID=0

HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/workspace/docker/healthcheck.bash"]
# SIGINT, not SIGTERM: the launch takes the robot to rest either way; the grace has to cover it.
STOPSIGNAL SIGINT
ENTRYPOINT ["/workspace/docker/entrypoint.bash"]
CMD ["ros2", "launch", "vla_bringup", "humanoid.launch.py"]
