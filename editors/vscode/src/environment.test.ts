import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type * as vscode from "vscode";

import { installServer } from "./environment";
import { scripts } from "./program";

function scratch(): string {
  return mkdtempSync(join(tmpdir(), "lacuna-"));
}

/** A package with nothing in it, which pip installs without asking anyone. */
function wheel(): string {
  const path = join(scratch(), "nothing-1-py3-none-any.whl");
  const info = join(scratch(), "nothing-1.dist-info");
  mkdirSync(info);
  writeFileSync(join(info, "METADATA"), "Metadata-Version: 2.1\nName: nothing\nVersion: 1\n");
  writeFileSync(join(info, "WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
  writeFileSync(join(info, "RECORD"), "");
  execFileSync("python3", ["-m", "zipfile", "-c", path, info]);
  return path;
}

/** Installs into the environment, which then has to work; fails with the reason if it does not. */
async function installed(environment: string): Promise<void> {
  const said: string[] = [];
  const log = { info: () => undefined, error: (text: string) => said.push(text) };
  const done = await installServer(environment, wheel(), log as unknown as vscode.LogOutputChannel);
  assert.deepEqual([done, said], [true, []]);
  const shown = execFileSync(join(scripts(environment), "python"), ["-m", "pip", "show", "nothing"]);
  assert.match(String(shown), /^Name: nothing$/m);
}

test("an environment whose Python does not run is made anew", async (context) => {
  const environment = scratch();
  context.after(() => {
    rmSync(environment, { recursive: true });
  });
  mkdirSync(scripts(environment));
  writeFileSync(join(scripts(environment), "python"), "#!/nowhere/python3\n", { mode: 0o755 });
  await installed(environment);
});

test("an environment without pip is made anew, and one that works is kept", async (context) => {
  const environment = scratch();
  context.after(() => {
    rmSync(environment, { recursive: true });
  });
  const mark = join(environment, "mark");
  execFileSync("python3", ["-m", "venv", "--without-pip", environment]);
  writeFileSync(mark, "");
  await installed(environment);
  assert.ok(!existsSync(mark));
  writeFileSync(mark, "");
  await installed(environment);
  assert.ok(existsSync(mark));

  // What makes environments may be gone from a system whose environments work.
  const python = join(scripts(environment), "python");
  const packages = execFileSync(python, ["-c", "import site; print(site.getsitepackages()[0])"]);
  const without = "import sys; sys.modules['ensurepip'] = None";
  writeFileSync(join(String(packages).trim(), "sitecustomize.py"), without);
  await installed(environment);
  assert.ok(existsSync(mark));
});
