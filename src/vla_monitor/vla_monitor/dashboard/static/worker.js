// Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
// The operator's socket and the e-stop endpoint, in a worker: its timers run at their rate while the
// page is hidden or busy.
//
// The endpoint answers a challenge only while the page answers this worker. A page that is blocked
// cannot take a press, so it must not look alive: without check-ins the supervisor stops the robot.

import { requestStop } from './stop.js';

const CHECK_IN = 300; // ms
const ALIVE = 900; // ms in which the page must have answered
const ANSWER_WITHIN = 1300; // ms for the answer to a check-in, then it is sent again
const RECONNECT = 500; // ms

let page = ''; // this page's number
let socket = null;
let wanted = false; // connected as an operator
let mine = false; // the lease
let challenge = null; // BigInt of the next check-in; null: none
let sentAt = 0; // of the check-in or registration that is not answered; 0: none
let endpoint = false; // this page is registered
let pressed = false; // and not reported by an accepted check-in yet
let sent = { pressed: false, leaving: false }; // with the last check-in
let echoed = performance.now();

const report = (message) => postMessage(message);

function connect() {
  if (!wanted || socket !== null) return;
  const opened = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws/operator`);
  socket = opened;
  opened.onopen = () => {
    send({ op: 'hello', page });
    report({ op: 'socket', open: true });
  };
  opened.onmessage = (event) => receive(JSON.parse(event.data));
  opened.onclose = (event) => {
    if (socket !== opened) return;
    socket = null;
    sentAt = 0;
    mine = false;
    report({ op: 'socket', open: false, code: event.code, reason: event.reason });
    // 4401: no session; 4409: this page is open elsewhere. The endpoint ends, and the robot stops.
    if (event.code === 4401 || event.code === 4409) {
      wanted = endpoint = false;
      challenge = null;
    } else setTimeout(connect, RECONNECT);
  };
}

function send(message) {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(message));
  return true;
}

function receive(message) {
  if (message.op === 'lease') {
    mine = message.mine;
    report(message);
    tick();
  } else if (message.op === 'endpoint') {
    sentAt = 0;
    const next = BigInt(message.challenge ?? '0');
    if (message.registered && message.accepted) endpoint = true;
    // Refused without a challenge: not registered there any more. A restarted supervisor knows nobody.
    challenge = message.accepted || next !== 0n ? next : null;
    if (message.accepted && !message.registered) {
      if (sent.leaving) endpoint = false;
      if (sent.pressed) pressed = false; // a touch has no position to release
    }
    if (challenge === null && !mine) endpoint = false;
    const live = endpoint && message.accepted;
    report({ op: 'endpoint', live, reason: message.reason, response: live ? answerTo(challenge) : null });
    if (message.registered || pressed) tick();
  } else report(message);
}

const answerTo = (number) => BigInt.asUintN(64, number + 1n).toString();

function checkIn() {
  sent = { pressed, leaving: !mine };
  if (send({ op: 'checkin', response: answerTo(challenge), ...sent })) sentAt = performance.now();
}

function tick() {
  const now = performance.now();
  postMessage({ op: 'ping' });
  if (sentAt !== 0 && now - sentAt < ANSWER_WITHIN) return;
  if (now - echoed > ALIVE && !pressed) return;
  if (challenge !== null && endpoint) checkIn();
  else if (mine && send({ op: 'register' })) sentAt = now;
}

setInterval(tick, CHECK_IN);

onmessage = ({ data }) => {
  if (data.op === 'pong') echoed = performance.now();
  else if (data.op === 'press') {
    if (endpoint && challenge !== null) {
      pressed = true;
      if (sentAt === 0) checkIn();
    }
    requestStop('estop', (state) => report({ op: 'stop', ...state }));
  } else if (data.op === 'connect') {
    page = data.page;
    wanted = true;
    connect();
  } else if (!send(data.request)) {
    report({ op: 'answer', id: data.request.id, success: null, message: 'not sent: no connection' });
  }
};
