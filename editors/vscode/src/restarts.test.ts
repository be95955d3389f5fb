import assert from "node:assert/strict";
import { test } from "node:test";

import { Restarts } from "./restarts";

test("a server that dies is restarted five times, at once and then ever later, and not a sixth time", () => {
  const restarts = new Restarts();
  const granted = Array.from({ length: 5 }, () => restarts.next());
  assert.deepEqual(granted.map((restart) => restart?.number), [1, 2, 3, 4, 5]);
  assert.deepEqual(granted.map((restart) => restart?.waitMs), [0, 500, 1000, 2000, 4000]);
  assert.equal(restarts.next(), undefined);
});

test("a death long after the one before it is a first one again", () => {
  const restarts = new Restarts();
  const deaths = [0, 1000, 2000, 3000, 4000, 604_000];
  assert.deepEqual(deaths.map((at) => restarts.next(at)?.number), [1, 2, 3, 4, 5, 1]);
  const often = new Restarts();
  const apart = Array.from({ length: 6 }, (_, index) => often.next(index * 599_000)?.number);
  assert.deepEqual(apart, [1, 2, 3, 4, 5, undefined]);
});

test("the user's own restart gives it five more", () => {
  const restarts = new Restarts();
  while (restarts.next() !== undefined);
  restarts.reset();
  assert.equal(restarts.next()?.number, 1);
});
