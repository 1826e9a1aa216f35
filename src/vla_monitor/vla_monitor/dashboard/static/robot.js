// Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
// The robot's links in a parallel projection that the pointer turns, with what balance depends on.

import { colors, prepared } from './plots.js';

const MARGIN = 18; // pixels

export class RobotView {
  constructor(canvas) {
    this.canvas = canvas;
    this.yaw = 55; // degrees; 0 from the robot's right side, 90 from the front
    this.pitch = 12;
    let from = null;
    canvas.addEventListener('pointerdown', (event) => {
      from = { x: event.clientX, y: event.clientY, yaw: this.yaw, pitch: this.pitch };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (from === null) return;
      this.yaw = from.yaw + (event.clientX - from.x) * 0.5;
      this.pitch = Math.min(89, Math.max(-5, from.pitch + (event.clientY - from.y) * 0.4));
    });
    for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => { from = null; });
  }

  look(yaw) {
    this.yaw = yaw;
    this.pitch = 0;
  }

  // x forward, y left, z up, m. Seen from the side: x to the right; from the front: y to the right.
  project([x, y, z]) {
    const a = this.yaw * Math.PI / 180, b = this.pitch * Math.PI / 180;
    const right = x * Math.cos(a) + y * Math.sin(a), depth = -x * Math.sin(a) + y * Math.cos(a);
    return [right, z * Math.cos(b) + depth * Math.sin(b)];
  }

  draw(robot, state) {
    const { context, width, height } = prepared(this.canvas);
    const points = state.points ?? [];
    if (points.length === 0 || points.some((p) => p.includes(null))) return;
    const paint = colors();
    const flat = points.map((p) => this.project(p));
    const tall = Math.max(1.2, ...points.map((p) => p[2])) + 0.1;
    const scale = Math.min((height - 2 * MARGIN) / (tall + 0.3), (width - 2 * MARGIN) / 1.8);
    const place = ([right, up]) => [width / 2 + right * scale, height - MARGIN - (up + 0.15) * scale];
    const path = (list, close) => {
      context.beginPath();
      list.forEach((p, i) => context[i ? 'lineTo' : 'moveTo'](...place(p)));
      if (close) context.closePath();
    };

    context.strokeStyle = paint.line;
    for (let k = -4; k <= 4; k += 2) {
      path([this.project([k / 5, -0.8, 0]), this.project([k / 5, 0.8, 0])]);
      context.stroke();
      path([this.project([-0.8, k / 5, 0]), this.project([0.8, k / 5, 0])]);
      context.stroke();
    }
    const balance = state.balance;
    if (balance?.polygon?.length) {
      path(balance.polygon.map(([x, y]) => this.project([x, y, 0])), true);
      context.fillStyle = balance.level === 'SAFE' ? paint.ok : paint.bad;
      context.globalAlpha = 0.35;
      context.fill();
      context.globalAlpha = 1;
    }
    context.strokeStyle = paint.text;
    context.lineWidth = 4;
    context.lineCap = 'round';
    for (const [from, to] of robot.bones) {
      path([flat[from], flat[to]]);
      context.stroke();
    }
    context.lineWidth = 1;
    context.fillStyle = paint.ok;
    for (const p of flat) {
      context.beginPath();
      context.arc(...place(p), 3, 0, 7);
      context.fill();
    }
    if (balance && !balance.com.includes(null)) {
      const com = this.project(balance.com);
      path([com, this.project([balance.com[0], balance.com[1], 0])]);
      context.strokeStyle = paint.warn;
      context.stroke();
      context.beginPath();
      context.arc(...place(com), 7, 0, 7);
      context.fillStyle = paint.warn;
      context.fill();
    }
    if (balance && !balance.capture_point.includes(null)) {
      const [x, y] = place(this.project([...balance.capture_point, 0]));
      context.strokeStyle = paint.bad;
      context.lineWidth = 3;
      context.beginPath();
      context.moveTo(x - 6, y - 6); context.lineTo(x + 6, y + 6);
      context.moveTo(x + 6, y - 6); context.lineTo(x - 6, y + 6);
      context.stroke();
      context.lineWidth = 1;
    }
  }
}
