# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""Records a synthetic run in real time until it is killed: `writer_process.py FOLDER`."""

import sys
import time
from pathlib import Path

from synthetic import recording, run_of

made = recording(Path(sys.argv[1]), images='bag')
while made.folder is None:
    time.sleep(0.001)
print(made.start_ns, flush=True)
for put, message in enumerate(run_of(made.start_ns, 3600.0), start=1):
    while time.time_ns() < message.log_ns:
        time.sleep(0.001)
    made.put([message])
    if put % 50 == 0:
        print(put, flush=True)
