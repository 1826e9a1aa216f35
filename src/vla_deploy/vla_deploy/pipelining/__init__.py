# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""A network spread over processes, one stage in each (torch.distributed.pipelining)."""
