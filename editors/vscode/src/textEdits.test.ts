import assert from "node:assert/strict";
import { test } from "node:test";

import { edited } from "./textEdits";

test("edits count in the original text, in whatever order they come", () => {
  const edits = [
    { start: 0, end: 1, text: "one" },
    { start: 4, end: 5, text: "" },
    { start: 2, end: 2, text: "+" },
  ];
  assert.equal(edited("a b c", edits), "one +b ");
  assert.equal(edited("a b c", [...edits].reverse()), "one +b ");
});

test("no edit leaves the text alone", () => {
  assert.equal(edited("a", []), "a");
});
