import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Rest } from "./rest";

const rested = mock.fn();
let rest: Rest;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  rested.mock.resetCalls();
  rest = new Rest(150, rested);
});

test("several quick movements come to rest once, counted from the last of them", () => {
  for (let i = 0; i < 5; i++) {
    rest.moved();
    mock.timers.tick(100);
  }
  assert.equal(rested.mock.callCount(), 0);
  mock.timers.tick(50);
  assert.equal(rested.mock.callCount(), 1);
  mock.timers.tick(1000);
  assert.equal(rested.mock.callCount(), 1);
});

test("a movement after a rest is followed by another rest", () => {
  rest.moved();
  mock.timers.tick(150);
  rest.moved();
  mock.timers.tick(150);
  assert.equal(rested.mock.callCount(), 2);
});

test("what is disposed of comes to no rest", () => {
  rest.moved();
  rest.dispose();
  mock.timers.tick(1000);
  assert.equal(rested.mock.callCount(), 0);
});
