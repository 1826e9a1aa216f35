// Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
// Plots on a canvas: values over time, and joints between their limits.

const SPAN = 30; // s
const GAP = 1; // s without a value that is a gap

// The canvas's context at the screen's resolution, cleared, with its size in CSS pixels.
export function prepared(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = '12px system-ui, sans-serif';
  return { context, width, height };
}

export function colors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return { text: of('text'), weak: of('weak'), line: of('line'), ok: of('ok'), warn: of('warn'), bad: of('bad') };
}

// Lines differ in dashes too, not by color alone.
const DASHES = [[], [6, 3], [2, 2], [9, 3, 2, 3]];

// Values over the last SPAN seconds. series: names; unit and factor of what is shown.
export class Strip {
  constructor(canvas, series, unit, factor = 1) {
    Object.assign(this, { canvas, series, unit, factor, samples: [] });
  }

  add(time, values) {
    this.samples.push([time, ...values]);
    while (this.samples[0][0] < time - SPAN) this.samples.shift();
  }

  draw(time) {
    const { context, width, height } = prepared(this.canvas);
    const paint = colors();
    const shown = this.samples.flatMap(([, ...values]) => values.filter((v) => v !== null));
    const top = Math.max(0, ...shown) * this.factor || 1, low = Math.min(0, ...shown) * this.factor;
    const rows = Math.ceil(this.series.length / 2);
    const left = 44, bottom = height - 8 - 14 * rows;
    const x = (t) => left + (width - left - 4) * (1 - (time - t) / SPAN);
    const y = (v) => bottom - (bottom - 8) * (v - low) / (top - low);
    context.strokeStyle = paint.line;
    context.fillStyle = paint.weak;
    for (const value of new Set([low, 0, top])) {
      context.beginPath();
      context.moveTo(left, y(value));
      context.lineTo(width, y(value));
      context.stroke();
      context.fillText(value.toPrecision(3), 2, y(value) + 4);
    }
    const inks = [paint.ok, paint.warn, paint.text, paint.bad];
    this.series.forEach((name, i) => {
      context.strokeStyle = context.fillStyle = inks[i];
      context.setLineDash(DASHES[i]);
      context.beginPath();
      let pen = false, before = -Infinity;
      for (const sample of this.samples) {
        const value = sample[i + 1];
        if (value === null) { pen = false; continue; }
        if (sample[0] - before > GAP) pen = false;
        before = sample[0];
        context[pen ? 'lineTo' : 'moveTo'](x(sample[0]), y(value * this.factor));
        pen = true;
      }
      context.stroke();
      context.setLineDash([]);
      const last = this.samples.at(-1)?.[i + 1];
      const text = `${name} ${last == null ? '–' : (last * this.factor).toPrecision(3)} ${this.unit}`;
      context.fillText(text, left + (i % 2) * (width - left) / 2, height - 4 - 14 * (rows - 1 - Math.floor(i / 2)));
    });
  }
}

// Each joint between its limits: a bar for the measured position, a tick for the command.
export function drawJoints(canvas, robot, state) {
  canvas.style.height = `${robot.joints.length * 17 + 6}px`;
  const { context, width } = prepared(canvas);
  const paint = colors();
  const label = Math.min(170, width * 0.45), room = width - label - 8;
  robot.joints.forEach((name, i) => {
    const y = 6 + i * 17;
    const at = (q) => label + room * Math.min(1, Math.max(0, (q - robot.lower[i]) / (robot.upper[i] - robot.lower[i])));
    context.fillStyle = paint.text;
    context.fillText(name, 0, y + 9, label - 6);
    context.fillStyle = paint.line;
    context.fillRect(label, y + 3, room, 5);
    const q = state.position?.[i], command = state.command?.[i];
    if (q != null) {
      const span = robot.upper[i] - robot.lower[i];
      const near = Math.min(q - robot.lower[i], robot.upper[i] - q) < 0.03 * span;
      context.fillStyle = near ? paint.bad : paint.ok;
      context.fillRect(at(q) - (near ? 5 : 3), y - (near ? 1 : 0), near ? 10 : 6, near ? 13 : 11);
    }
    if (command != null) {
      context.strokeStyle = paint.text;
      context.strokeRect(at(command) - 0.5, y - 1, 1, 13);
    }
  });
}
