import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { scratch } from "./fakes/scratch";
import { InterpreterMissingError, ServerProcess } from "./serverProcess";

function script(body: string, interpreter = "/bin/sh"): string {
  const path = join(scratch(), "lacuna");
  writeFileSync(path, `#!${interpreter}\n${body}\n`);
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

/** A server that has said its first line, and that line. */
async function talking(body: string): Promise<{ server: ServerProcess; said: string }> {
  const lines: string[] = [];
  const server = await ServerProcess.start(script(body), (line) => lines.push(line));
  while (lines[0] === undefined) {
    await setTimeout(10);
  }
  return { server, said: lines[0] };
}

test("a server that ignores the request to end is ended by force", async () => {
  const { server } = await talking("trap '' TERM; echo deaf >&2; while :; do sleep 0.1; done");
  await server.end();
  assert.equal(await server.ended, "by signal SIGKILL: deaf");
});

test("the end of its input asks a server to end too, one that no signal reaches", async () => {
  const { server } = await talking("trap '' TERM; echo wrapped >&2; cat; exit 3");
  await server.end();
  assert.equal(await server.ended, "with exit code 3: wrapped");
});

test("what a server has started and no signal reaches is not waited for", { timeout: 20_000 }, async (context) => {
  const { server, said } = await talking("sleep 60 & echo $! >&2; wait");
  context.after(() => process.kill(Number(said)));
  await server.end();
  assert.match(await server.ended, /^by signal SIGTERM/);
});

test("a program that is not there is an error that names it", async () => {
  await assert.rejects(ServerProcess.start("/nowhere/lacuna", () => undefined), /\/nowhere\/lacuna cannot be run/);
});

test("a program whose interpreter is gone is said to be there, and what is missing", async () => {
  const program = script("", "/nowhere/python3");
  const error = new InterpreterMissingError(`${program} cannot be run, since its interpreter is missing`);
  await assert.rejects(ServerProcess.start(program, () => undefined), error);
});
