import assert from "node:assert/strict";
import { mock, test } from "node:test";
import * as vscode from "vscode";

import { FillPreview } from "./fillPreview";

const uri = { path: "/a.py", with: () => uri, toString: () => "a.py" } as unknown as vscode.Uri;
const document = { uri, version: 1, getText: () => "pass" } as unknown as vscode.TextDocument;

async function applied(works: boolean): Promise<{ text: string; warnings: unknown[] }> {
  mock.method(vscode.workspace, "applyEdit", () => Promise.resolve(works));
  const warn = mock.method(vscode.window, "showWarningMessage");
  const preview = new FillPreview();
  await preview.show(document, 1, [], "line 1");
  await preview.apply();
  const warnings = warn.mock.calls.map((call) => call.arguments[0]);
  return { text: preview.provideTextDocumentContent(uri), warnings };
}

test("a fill that VS Code did not apply is said not to be, and stays to be applied", async () => {
  const { text, warnings } = await applied(false);
  assert.equal(text, "pass");
  assert.match(String(warnings), /VS Code did not apply/);
});

test("a fill that was applied is gone from the preview", async () => {
  assert.deepEqual(await applied(true), { text: "", warnings: [] });
});
