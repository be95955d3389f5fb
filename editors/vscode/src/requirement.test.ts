import assert from "node:assert/strict";
import { test } from "node:test";

import { pipWords } from "./requirement";

test("a requirement or a path is one word, blanks and all", () => {
  assert.deepEqual(pipWords("lacuna-ls[cpu]~=0.1.0"), ["lacuna-ls[cpu]~=0.1.0"]);
  assert.deepEqual(pipWords("/my code/lacuna.whl"), ["/my code/lacuna.whl"]);
});

test("a checkout to be used in place is two", () => {
  assert.deepEqual(pipWords("-e /my code/lacuna[cpu]"), ["--editable", "/my code/lacuna[cpu]"]);
  assert.deepEqual(pipWords("--editable ~/lacuna"), ["--editable", "~/lacuna"]);
});
