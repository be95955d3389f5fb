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

test("the user's own restart gives it five more", () => {
  const restarts = new Restarts();
  while (restarts.next() !== undefined);
  restarts.reset();
  assert.equal(restarts.next()?.number, 1);
});
