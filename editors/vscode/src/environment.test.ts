import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type * as vscode from "vscode";

import { installServer } from "./environment";
import { scratch } from "./fakes/scratch";
import { scripts } from "./program";

/** A package of one module, which pip installs without asking anyone. */
function wheel(name = "nothing", code = "", needs: readonly string[] = []): string {
  const path = join(scratch(), `${name}-1-py3-none-any.whl`);
  const sources = scratch();
  const info = join(sources, `${name}-1.dist-info`);
  const module = join(sources, `${name}.py`);
  const metadata = ["Metadata-Version: 2.1", `Name: ${name}`, "Version: 1", ...needs.map((need) => `Requires-Dist: ${need}`)];
  mkdirSync(info);
  writeFileSync(join(info, "METADATA"), `${metadata.join("\n")}\n`);
  writeFileSync(join(info, "WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
  writeFileSync(join(info, "RECORD"), "");
  writeFileSync(module, code);
  execFileSync("python3", ["-m", "zipfile", "-c", path, info, module]);
  return path;
}

/** Installs into the environment, which then has to work; fails with the reason if it does not. */
async function installed(environment: string, requirement = wheel()): Promise<void> {
  const said: string[] = [];
  const log = { info: () => undefined, error: (text: string) => said.push(text) };
  const done = await installServer(environment, requirement, log as unknown as vscode.LogOutputChannel);
  assert.deepEqual([done, said], [true, []]);
  const shown = execFileSync(join(scripts(environment), "python"), ["-m", "pip", "show", "nothing"]);
  assert.match(String(shown), /^Name: nothing$/m);
}

test("an environment whose Python does not run is made anew", async () => {
  const environment = scratch();
  mkdirSync(scripts(environment));
  writeFileSync(join(scripts(environment), "python"), "#!/nowhere/python3\n", { mode: 0o755 });
  await installed(environment);
});

test("an environment without pip is made anew, and one that works is kept", async () => {
  const environment = scratch();
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

test("a wheel that was built anew is installed anew, with what it needs now, though its version is the same", async () => {
  const environment = scratch();
  const says = (): string =>
    String(execFileSync(join(scripts(environment), "python"), ["-c", "import nothing; print(nothing.WHAT)"])).trim();
  await installed(environment, wheel("nothing", "WHAT = 'old'\n"));
  assert.equal(says(), "old");
  const needed = `needed @ ${pathToFileURL(wheel("needed", "WHAT = 'new'\n")).href}`;
  await installed(environment, wheel("nothing", "from needed import WHAT\n", [needed]));
  assert.equal(says(), "new");
});
