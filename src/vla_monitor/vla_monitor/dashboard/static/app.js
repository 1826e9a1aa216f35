// Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
// The page. Every text that comes from the robot is put in as text, never as markup.

import { drawJoints, Strip } from './plots.js';
import { RobotView } from './robot.js';
import { requestStop } from './stop.js';

const OLD = 1.0; // s after which a report is shown as old
const SILENT = 2000; // ms without a state
const RECONNECT = 700; // ms

const byId = (id) => document.getElementById(id);
function element(tag, text, className = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}
function show(id, text, className = '') {
  const shown = byId(id);
  if (shown.textContent !== text) shown.textContent = text;
  shown.classList.toggle('ok', className === 'ok');
  shown.classList.toggle('warn', className === 'warn');
  shown.classList.toggle('bad', className === 'bad');
}

// -- stops: first, and they need nothing of what follows -----------------------------------------

const STOP_TEXT = {
  requested: 'E-STOP requested',
  granted: 'E-STOP granted',
  unanswered: 'E-STOP NOT CONFIRMED: use the hardware e-stop.',
};
let worker = null;
let press = 0;

function showStop(number, { state, message }) {
  if (number !== press || (byId('estop-result').dataset.state === 'granted' && state !== 'granted')) return;
  const time = new Date().toLocaleTimeString();
  byId('estop-result').dataset.state = state;
  show('estop-result', `${STOP_TEXT[state]} ${time} ${state === 'requested' ? '' : message}`, state === 'unanswered' ? 'bad' : 'ok');
}

function estop() {
  const number = ++press;
  byId('estop-result').dataset.state = '';
  worker?.postMessage({ op: 'press' });
  requestStop('estop', (state) => showStop(number, state));
}

byId('estop-button').addEventListener('pointerdown', (event) => {
  if (event.button !== 0) return;
  estop();
});
// A keyboard, a screen reader: a click without a pointer. After a pointer it is the same press.
byId('estop').addEventListener('submit', (event) => event.preventDefault());
byId('estop-button').addEventListener('click', (event) => { if (event.detail === 0) estop(); });
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !event.repeat) {
    event.preventDefault();
    estop();
  }
}, true);
byId('safe-stop').addEventListener('click', () => requestStop('safe_stop', ({ state, message }) => {
  show('safe-stop-result', `${state} ${message}`, state === 'unanswered' ? 'bad' : '');
}));

// -- the operator ---------------------------------------------------------------------------------

let lease = { mine: false, holder: '' };
let latest = null;
let waiting = new Map(); // id of a request: its words
let nextId = 1;
let response = null; // to the last challenge, while this page is the endpoint

function pageNumber() {
  let number = sessionStorage.getItem('page');
  if (number === null) {
    number = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
    sessionStorage.setItem('page', number);
  }
  return number;
}

function request(values, words) {
  const id = nextId++;
  waiting.set(id, words);
  show('answer', `${words}: requested`);
  worker.postMessage({ op: 'request', request: { ...values, id } });
}

const tell = (values) => worker.postMessage({ op: 'request', request: values });

worker = new Worker('/static/worker.js', { type: 'module' });
worker.onmessage = ({ data }) => {
  if (data.op === 'ping') worker.postMessage({ op: 'pong' });
  else if (data.op === 'stop') showStop(press, data);
  else if (data.op === 'lease') {
    lease = data;
    sessionStorage.setItem('lease', data.mine ? 'mine' : '');
    showOperator(true);
  } else if (data.op === 'socket') {
    if (data.open && sessionStorage.getItem('lease') === 'mine') tell({ op: 'take', name: operatorName() });
    if (!data.open) {
      lease = { mine: false, holder: '' };
      show('endpoint', `No connection as an operator. ${data.reason}`, 'bad');
      showOperator(data.code !== 4401);
    }
  } else if (data.op === 'endpoint') {
    const text = data.live ? 'This page is an e-stop endpoint: if it falls silent, the robot stops.'
      : `This page is no e-stop endpoint${data.reason ? `: ${data.reason}` : '.'}`;
    response = data.live ? data.response : null;
    show('endpoint', text, data.live ? 'ok' : lease.mine ? 'bad' : '');
  } else if (data.op === 'answer') {
    const words = waiting.get(data.id) ?? '';
    waiting.delete(data.id);
    show('answer', `${words}: ${data.message}`, data.success ? '' : 'bad');
  }
};

// A page that is closed leaves as an endpoint, which the supervisor grants where nothing may move. The
// worker ends with the page, before it could.
window.addEventListener('pagehide', () => {
  if (response !== null) navigator.sendBeacon('/leave', JSON.stringify({ op: 'leave', page: pageNumber(), response }));
});

const operatorName = () => byId('name').value.trim() || 'operator';

function showOperator(loggedIn) {
  byId('login').hidden = loggedIn;
  byId('lease').hidden = !loggedIn;
  byId('run').hidden = byId('steps').hidden = !(loggedIn && lease.mine);
  byId('take').hidden = lease.mine;
  byId('release').hidden = !lease.mine;
  const holder = lease.mine ? 'You operate the robot.' : lease.holder ? `${lease.holder} operates the robot.` : 'Nobody operates the robot.';
  byId('holder').textContent = holder;
}

byId('name').value = localStorage.getItem('name') ?? '';
byId('take').addEventListener('click', () => {
  localStorage.setItem('name', operatorName());
  tell({ op: 'take', name: operatorName() });
});
byId('release').addEventListener('click', () => tell({ op: 'release' }));
byId('run').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = byId('instruction').value.trim();
  if (text) request({ op: 'run', text, time_limit: Number(byId('limit').value) || 0 }, `run "${text}"`);
});
byId('cancel').addEventListener('click', () => request({ op: 'cancel' }, 'cancel'));
for (const button of byId('steps').children) {
  button.addEventListener('click', () => {
    const shown = latest?.supervisor;
    if (!shown) return;
    const seen = { mode: shown.mode, epoch: shown.motion_epoch, causes: shown.causes.map((c) => c.seen) };
    request({ op: 'step', step: button.dataset.step, seen }, button.dataset.step);
  });
}
byId('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const answer = await fetch('/login', { method: 'POST', body: byId('token').value.trim() }).catch(() => null);
  byId('token').value = '';
  byId('login-result').textContent = answer === null ? 'no answer' : answer.ok ? '' : 'wrong token';
  if (answer?.ok) operate();
});

function operate() {
  showOperator(true);
  worker.postMessage({ op: 'connect', page: pageNumber() });
}

fetch('/session').then((answer) => answer.json()).then((session) => {
  if (session.operator) operate();
  else showOperator(false);
}).catch(() => showOperator(false));

// -- the robot's state ----------------------------------------------------------------------------

const MODES = {
  INACTIVE: ['◻ INACTIVE', ''], READY: ['● READY', 'ok'], RUNNING: ['▶ RUNNING', 'ok'],
  SAFE_STOP: ['■ SAFE STOP', 'warn'], ESTOP: ['✖ E-STOP', 'bad'],
};
const LEVELS = { SAFE: ['○ SAFE', 'ok'], WARNING: ['△ WARNING', 'warn'], DANGER: ['▲ DANGER', 'bad'], EMERGENCY: ['✖ EMERGENCY', 'bad'] };
const NEXT = { reset: 'ESTOP', resume: 'SAFE_STOP', arm: 'INACTIVE' };

let robot = null;
let receivedAt = -Infinity;
const view = new RobotView(byId('robot'));
const margin = new Strip(byId('plot-balance'), ['margin'], 'mm', 1000);
const latency = new Strip(byId('plot-latency'), ['observation', 'policy', 'filter', 'driver'], 'ms');
for (const button of byId('views').children) button.addEventListener('click', () => view.look(Number(button.dataset.yaw)));

function connect() {
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/view`);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => {
    if (typeof data !== 'string') return showPicture(new Uint8Array(data));
    const values = JSON.parse(data);
    if (values.robot) {
      robot = values.robot;
      byId('robot-name').textContent = robot.name;
      document.title = robot.name;
    }
    if (values.log) showLog(values.log);
    if (values.state) {
      latest = values.state;
      receivedAt = performance.now();
      showState(values.state);
    }
  };
  socket.onclose = () => setTimeout(connect, RECONNECT);
}

function showState(state) {
  const { supervisor, inference, driver, balance, filter } = state;
  const old = (name) => state.ages[name] === undefined || state.ages[name] > OLD;
  if (supervisor && !old('supervisor')) {
    show('mode', ...MODES[supervisor.mode]);
    show('level', ...LEVELS[supervisor.level]);
    byId('behaviour').textContent = `${supervisor.behaviour.toLowerCase()}, speed ${Math.round(100 * supervisor.speed_scale)} %`;
  } else {
    show('mode', '? supervisor silent', 'bad');
    show('level', '–');
  }
  byId('causes').replaceChildren(...(supervisor?.causes ?? []).map((cause) => {
    const item = element('li', `${cause.present ? 'present' : 'gone'}: ${cause.name} (${cause.source}), ${cause.level}: ${cause.detail}`, cause.present ? 'present' : 'gone');
    if (cause.present) item.append(element('span', `Clears when: ${cause.clears}`, 'clears'));
    return item;
  }));
  byId('missing').replaceChildren(...(supervisor?.nodes_missing ?? []).map((text) => element('li', `node ${text}`)));
  byId('why').classList.toggle('clear', !supervisor?.causes.length && !supervisor?.nodes_missing.length);
  for (const button of byId('steps').children) button.disabled = supervisor?.mode !== NEXT[button.dataset.step];

  const facts = [];
  const add = (name, value) => { if (value !== null && value !== '' && value !== undefined) facts.push(element('dt', name), element('dd', String(value))); };
  if (inference) {
    add('policy', inference.policy);
    add('state', `${inference.state}${inference.reason ? `: ${inference.reason}` : ''}${old('inference') ? ' (old)' : ''}`);
    add('instruction', inference.instruction && `${inference.instruction} (${inference.phase}, ${inference.elapsed} s)`);
    add('held by', inference.held_by.join(', '));
    for (const name of ['understood', 'possible', 'done', 'confidence']) if (inference[name] >= 0) add(name, inference[name]);
    add('last result', inference.last_result);
  }
  if (filter) {
    add('filter', `${filter.state}${filter.reason ? `: ${filter.reason}` : ''}${old('filter') ? ' (old)' : ''}`);
    add('limited by', filter.limited_by);
    for (const v of filter.violations) add(v.level, `${v.kind} ${v.subject}: ${v.value}, limit ${v.limit}`);
  }
  if (driver) {
    add('driver', `${driver.behaviour}: ${driver.reason}${old('driver') ? ' (old)' : ''}`);
    add('fault', driver.fault);
    add('sensors', driver.sensors);
  }
  if (balance) add('balance', `${balance.level}${balance.cause ? `: ${balance.cause}` : ''}, tilt ${balance.tilt} rad${old('balance') ? ' (old)' : ''}`);
  byId('task').replaceChildren(...facts);
  if (state.pending.length) show('link', `${state.pending.join(', ')} requested, not granted yet`, 'bad');
  else show('link', `${state.viewers} ${state.viewers === 1 ? 'viewer' : 'viewers'}, ${state.operator ? `operator ${state.operator}` : 'no operator'}`);

  const now = performance.now() / 1000;
  margin.add(now, [old('balance') ? null : balance?.margin ?? null]);
  latency.add(now, [
    old('inference') ? null : inference?.observation_age_ms ?? null, old('inference') ? null : inference?.inference_ms ?? null,
    old('filter') ? null : filter?.tick_ms ?? null, old('driver') ? null : driver?.loop_ms ?? null,
  ]);
}

function showPicture(data) {
  const name = latest?.cameras[data[0]];
  if (name === undefined) return;
  let figure = byId(`camera-${data[0]}`);
  if (figure === null) {
    figure = element('figure', '');
    figure.id = `camera-${data[0]}`;
    figure.append(new Image(), element('figcaption', name));
    byId('cameras').append(figure);
    byId('cameras').hidden = false;
  }
  const image = figure.firstChild, url = URL.createObjectURL(new Blob([data.subarray(1)], { type: 'image/jpeg' }));
  image.alt = name;
  image.onload = image.onerror = () => URL.revokeObjectURL(url);
  image.src = url;
}

function showLog(lines) {
  byId('log').replaceChildren(...lines.toReversed().map(({ time, text }) => {
    const item = element('li', '');
    item.append(element('time', new Date(1000 * time).toLocaleTimeString()), text);
    return item;
  }));
}

function draw() {
  const silent = performance.now() - receivedAt > SILENT;
  document.body.classList.toggle('old', silent);
  if (silent) {
    show('mode', '? no data', 'bad');
    show('level', '–');
    show('link', 'No connection: what is shown is old. The e-stop does not need it.', 'bad');
  }
  if (robot !== null && latest !== null) {
    const now = performance.now() / 1000;
    view.draw(robot, latest);
    margin.draw(now);
    latency.draw(now);
    drawJoints(byId('plot-joints'), robot, latest);
  }
}
setInterval(draw, 100);
connect();
