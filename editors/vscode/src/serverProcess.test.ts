import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { ServerProcess } from "./serverProcess";

function script(body: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "lacuna-")), "lacuna");
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("a death is told with its exit code and the last words on stderr", async () => {
  const lines: string[] = [];
  const server = await ServerProcess.start(script("echo first >&2; echo 'no model in /x' >&2; echo >&2; exit 2"), (line) =>
    lines.push(line),
  );
  assert.equal(await server.ended, "with exit code 2: no model in /x");
  assert.deepEqual(lines, ["first", "no model in /x", ""]);
});

test("a death by signal is told as one", async () => {
  const server = await ServerProcess.start(script("kill -9 $$"), () => undefined);
  assert.equal(await server.ended, "by signal SIGKILL");
});

test("a server that ignores the request to end is ended by force", async () => {
  const said: string[] = [];
  const server = await ServerProcess.start(
    script("trap '' TERM; echo deaf >&2; while :; do sleep 0.1; done"),
    (line) => said.push(line),
  );
  while (said.length === 0) {
    await setTimeout(10);
  }
  await server.end();
  assert.equal(await server.ended, "by signal SIGKILL: deaf");
});

test("a program that is not there is an error that names it", async () => {
  await assert.rejects(ServerProcess.start("/nowhere/lacuna", () => undefined), /\/nowhere\/lacuna cannot be run/);
});
