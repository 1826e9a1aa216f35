// Copyright 2026 the vla_ros2 authors. SPDX-License-Identifier: Apache-2.0
// A stop by plain POST, repeated until it is granted. Used by the page and by its worker: neither
// needs the other, nor a socket.

const ANSWER_WITHIN = 1500; // ms; the server answers within 800
const REPEAT = 150; // ms
const NO_ANSWER_AFTER = 1000; // ms after which the page reports it

// step: 'estop' or 'safe_stop'. report({step, state, message}): requested, unanswered, granted.
export async function requestStop(step, report) {
  const begin = performance.now();
  let message = '';
  report({ step, state: 'requested', message });
  for (;;) {
    try {
      const response = await fetch(`/${step}`, {
        method: 'POST', keepalive: true, cache: 'no-store', headers: { accept: 'application/json' },
        signal: AbortSignal.timeout(ANSWER_WITHIN),
      });
      const answer = await response.json();
      message = answer.message;
      if (answer.granted === true) {
        report({ step, state: 'granted', message });
        return;
      }
    } catch (error) {
      message = `the dashboard's server does not answer (${error.name})`;
    }
    if (performance.now() - begin > NO_ANSWER_AFTER) report({ step, state: 'unanswered', message });
    await new Promise((resolve) => setTimeout(resolve, REPEAT));
  }
}
