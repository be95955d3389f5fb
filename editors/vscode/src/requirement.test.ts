import assert from "node:assert/strict";
import { homedir } from "node:os";
import { test } from "node:test";

import { pipRuns, pipWords } from "./requirement";

test("a requirement or a path is one word, blanks and all", () => {
  assert.deepEqual(pipWords("numpy~=2.0"), ["numpy~=2.0"]);
  assert.deepEqual(pipWords("/my code/lacuna.whl"), ["/my code/lacuna.whl"]);
});

test("a checkout to be used in place is two", () => {
  assert.deepEqual(pipWords("-e /my code/lacuna[cpu]"), ["--editable", "/my code/lacuna[cpu]"]);
});

test("a path that begins with ~ is one in the user's home, in place or not", () => {
  assert.deepEqual(pipWords("~/lacuna[cpu]"), [`${homedir()}/lacuna[cpu]`]);
  assert.deepEqual(pipWords("~\\lacuna[cpu]"), [`${homedir()}\\lacuna[cpu]`]);
  assert.deepEqual(pipWords("-e ~/lacuna[cpu]"), ["--editable", `${homedir()}/lacuna[cpu]`]);
  assert.deepEqual(pipWords("/code/~/lacuna"), ["/code/~/lacuna"]);
});

test("a wheel, and nothing else, is put in place of its own version too", () => {
  const again = ["--force-reinstall", "--no-deps"];
  for (const wheel of ["/my code/lacuna-1-py3-none-any.whl", "/lacuna-1-py3-none-any.whl[cpu]"]) {
    assert.deepEqual(pipRuns(wheel), [["--upgrade", wheel], [...again, wheel]]);
  }
  assert.deepEqual(pipRuns("/my code/lacuna[cpu]"), [["--upgrade", "/my code/lacuna[cpu]"]]);
  assert.deepEqual(pipRuns("-e /my code/lacuna"), [["--upgrade", "--editable", "/my code/lacuna"]]);
});
