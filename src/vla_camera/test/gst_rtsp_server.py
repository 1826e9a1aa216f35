# Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
"""GStreamer's RTSP server with test images, run by the system's Python: gst_rtsp_server.py PORT.

Debian, Ubuntu: gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-base, -good, -ugly, python3-gi.
"""

import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

BARS = (
    'videotestsrc is-live=true pattern=smpte100'
    ' ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! '
)
STREAMS = {
    '/jpeg': 'jpegenc ! rtpjpegpay name=pay0 pt=26',
    '/h264': 'x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 config-interval=1',
    # B-frames: what is decoded comes in another order than it is sent.
    '/reordered': 'x264enc bframes=3 b-adapt=false rc-lookahead=5 key-int-max=30'
    ' ! rtph264pay name=pay0 config-interval=1',
}

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address('127.0.0.1')
server.set_service(sys.argv[1])
for path, pipeline in STREAMS.items():
    Gst.parse_launch(BARS + pipeline)  # raises where an element is not installed
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f'( {BARS}{pipeline} )')
    server.get_mount_points().add_factory(path, factory)
if not server.attach(None):
    sys.exit(f'port {sys.argv[1]} is taken')
print('ready', flush=True)
GLib.MainLoop().run()
