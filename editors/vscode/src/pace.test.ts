import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace } from "./pace";

function typist(...times: number[]): Pace {
  const pace = new Pace();
  for (const time of times) {
    pace.typed(time);
  }
  return pace;
}

function steady(gap: number, keys = 20, start = 0): number[] {
  return Array.from({ length: keys }, (_, i) => start + i * gap);
}

test("a typist not yet known waits a moderate time", () => {
  assert.equal(typist().waitMs, 120);
  assert.equal(typist(5).waitMs, 120);
});

test("the wait is longer than the usual gap, so that no request is made between two keys of a run", () => {
  for (const gap of [60, 125, 200]) {
    assert.ok(typist(...steady(gap)).waitMs > gap, String(gap));
    assert.ok(typist(...steady(gap)).waitMs < gap * 1.5, String(gap));
  }
});

test("the wait has bounds for the fastest and the slowest", () => {
  assert.equal(typist(...steady(5)).waitMs, 50);
  assert.equal(typist(...steady(900)).waitMs, 300);
});

test("a pause for thought is not part of the rhythm", () => {
  assert.equal(typist(...steady(100), ...steady(100, 3, 60_000)).waitMs, 130);
});

test("the rhythm follows the typist when it changes", () => {
  assert.equal(typist(...steady(200), ...steady(80, 20, 4000)).waitMs, 104);
});
