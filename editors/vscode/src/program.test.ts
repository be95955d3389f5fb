import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";

import { scratch } from "./fakes/scratch";
import { findProgram, passedOver, scripts } from "./program";

const name = process.platform === "win32" ? "lacuna.exe" : "lacuna";

function program(folder: string, mode = 0o755): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, "");
  chmodSync(path, mode);
  return path;
}

test("the setting comes before PATH, PATH before the environment", async () => {
  const folder = scratch();
  const named = program(join(folder, "named"));
  const onPath = program(join(folder, "path"));
  const own = program(scripts(join(folder, "environment")));
  const search = [join(folder, "empty"), join(folder, "path")].join(delimiter);
  const environment = join(folder, "environment");
  assert.deepEqual(await findProgram(named, environment, search), { command: named });
  assert.deepEqual(await findProgram("", environment, search), { command: onPath });
  assert.deepEqual(await findProgram("", environment, ""), { command: own });
});

test("an installed program that another one is run instead of is said to be passed over, and why", async () => {
  const folder = scratch();
  const named = program(join(folder, "named"));
  const onPath = program(join(folder, "path"));
  const own = program(scripts(join(folder, "environment")));
  const environment = join(folder, "environment");
  const search = join(folder, "path");
  assert.equal(
    await passedOver(named, environment, search),
    `${named} is run and not what was installed, since the setting lacuna.server.path names it. Clear the setting to run what was installed.`,
  );
  assert.equal(
    await passedOver("", environment, search),
    `${onPath} is run and not what was installed, since it is on PATH. Set lacuna.server.path to ${own} to run what was installed.`,
  );
  assert.equal(await passedOver("", environment, ""), undefined);
  assert.equal(await passedOver(own, environment, search), undefined);
});

test("a setting that names no program is said to, and nothing else is run instead", async () => {
  const folder = scratch();
  program(join(folder, "path"));
  const found = await findProgram(join(folder, "nowhere"), folder, join(folder, "path"));
  assert.ok("missing" in found && !found.installable);
  assert.match(found.missing, /lacuna\.server\.path .*nowhere.* not a program/);
});

test("a folder of the program's name is passed over", async () => {
  const folder = scratch();
  mkdirSync(join(folder, "path", name), { recursive: true });
  const onPath = program(join(folder, "further"));
  const search = [join(folder, "path"), join(folder, "further")].join(delimiter);
  assert.deepEqual(await findProgram("", folder, search), { command: onPath });
});

test("a file that may not be run is passed over on PATH", { skip: process.platform === "win32" }, async () => {
  const folder = scratch();
  program(join(folder, "path"), 0o644);
  const found = await findProgram("", folder, join(folder, "path"));
  assert.deepEqual(found, { missing: "The server is not installed. Click to see how to install it.", installable: true });
});
