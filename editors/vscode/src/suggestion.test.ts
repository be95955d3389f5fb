import assert from "node:assert/strict";
import { test } from "node:test";

import { partlyAccepted, type Suggestion, typedAlong } from "./suggestion";

const plain: Suggestion = { id: "1", before: "x = ", text: "load(path)", after: "\nprint(x)\n", replaced: 0 };
const closing: Suggestion = { id: "2", before: "f(", text: "a, b)", after: ")\n", replaced: 1 };

function document(suggestion: Suggestion, typed: string): [string, number] {
  const left = suggestion.before + typed;
  return [left + suggestion.after, left.length];
}

test("nothing typed yet keeps the suggestion where it is", () => {
  assert.deepEqual(typedAlong(plain, ...document(plain, "")), { start: 4, end: 4 });
});

test("typing its beginning keeps the suggestion, its range from its start to the cursor", () => {
  assert.deepEqual(typedAlong(plain, ...document(plain, "loa")), { start: 4, end: 7 });
});

test("what it replaces right of the cursor stays in the range", () => {
  assert.deepEqual(typedAlong(closing, ...document(closing, "a,")), { start: 2, end: 5 });
});

test("it is gone when something else was typed", () => {
  assert.equal(typedAlong(plain, ...document(plain, "lox")), undefined);
});

test("it is gone when all of it was typed", () => {
  assert.equal(typedAlong(plain, ...document(plain, "load(path)")), undefined);
});

test("it is gone when the text before it has changed, even by the same number of characters", () => {
  assert.equal(typedAlong(plain, "y = lo" + plain.after, 6), undefined);
});

test("it is gone when the text after it has changed", () => {
  assert.equal(typedAlong(plain, "x = lo\nprint(y)\n", 6), undefined);
  assert.equal(typedAlong(plain, `x = lo${plain.after}# more`, 6), undefined);
});

test("it is gone when the cursor is elsewhere", () => {
  const [text, cursor] = document(plain, "loa");
  assert.equal(typedAlong(plain, text, cursor - 1), undefined);
  assert.equal(typedAlong(plain, text, 2), undefined);
  assert.equal(typedAlong(plain, text, text.length), undefined);
});

test("an editor's own closing bracket counts as another text", () => {
  assert.equal(typedAlong(plain, `x = load()${plain.after}`, 9), undefined);
});

test("offsets are UTF-16 units, so an emoji before the cursor counts two", () => {
  const emoji = { ...plain, before: 'x = "😋" + ' };
  assert.deepEqual(typedAlong(emoji, ...document(emoji, "lo")), { start: 11, end: 13 });
});

test("a word of it inserted at once was accepted, counted from its start", () => {
  assert.equal(partlyAccepted(plain, 4, "load"), 4);
  assert.equal(partlyAccepted(plain, 8, "(path"), 9);
});

test("a single key, other text, indentation, or all of it was not accepted in part", () => {
  assert.equal(partlyAccepted(plain, 4, "l"), undefined);
  assert.equal(partlyAccepted(plain, 4, "open"), undefined);
  assert.equal(partlyAccepted(plain, 2, "load"), undefined);
  assert.equal(partlyAccepted(plain, 4, "load(path)"), undefined);
  assert.equal(partlyAccepted({ ...plain, text: "\n    pass" }, 4, "\n    "), undefined);
});
