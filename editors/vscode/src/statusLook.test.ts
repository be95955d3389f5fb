import assert from "node:assert/strict";
import { test } from "node:test";

import { statusLook } from "./statusLook";

test("each state has a look of its own", () => {
  const states = ["loading", "ready", "computing", "off", "error"] as const;
  const looks = states.map((state) => statusLook({ state, message: "m" }, undefined).text);
  assert.equal(new Set(looks).size, states.length);
});

test("ready and computing show the latency of the last suggestion, once there is one", () => {
  assert.equal(statusLook({ state: "ready", message: "m", latencyMs: 84.4 }, undefined).text, "$(pass) Lacuna 84 ms");
  assert.equal(statusLook({ state: "computing", message: "m", latencyMs: 84 }, undefined).text, "$(ellipsis) Lacuna 84 ms");
  assert.equal(statusLook({ state: "ready", message: "m", latencyMs: null }, undefined).text, "$(pass) Lacuna");
});

test("an error is coloured and its tooltip says what to do", () => {
  const look = statusLook({ state: "error", message: "No model. Choose one." }, undefined);
  assert.deepEqual([look.severity, look.tooltip], ["error", "Lacuna has a problem: No model. Choose one."]);
});

test("the tooltip says the state in words, and what the server says of it", () => {
  const look = statusLook({ state: "ready", message: "lacuna-135m on cpu, 2 threads" }, undefined);
  assert.equal(look.tooltip, "Lacuna is ready: lacuna-135m on cpu, 2 threads");
});

test("a pause is shown with how to end it, but never hides an error", () => {
  const paused = statusLook({ state: "ready", message: "m", latencyMs: 9 }, "for python");
  assert.equal(paused.text, "$(circle-slash) Lacuna");
  assert.match(paused.tooltip, /paused for python.*resume/);
  assert.equal(statusLook({ state: "error", message: "m" }, "everywhere").severity, "error");
});
