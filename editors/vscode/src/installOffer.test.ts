import assert from "node:assert/strict";
import { mock, test } from "node:test";
import * as vscode from "vscode";

import { askForPackage, offerInstall } from "./installOffer";

const WHAT_TO_SET = /Set lacuna\.server\.package to \/path\/to\/checkout\[cpu\]/;
const WHY = "the server is not installed";
const memento = { get: () => false } as unknown as vscode.Memento;

/** What is shown where this is the setting, and the commands that follow where the user gives this answer. */
async function asked(setting: string, answer: string, ask: () => Promise<void>) {
  mock.method(vscode.workspace, "getConfiguration", () => ({ get: () => setting }));
  const warn = mock.method(vscode.window, "showWarningMessage", (_: string, ...answers: string[]) =>
    Promise.resolve(answers.find((one) => one === answer)),
  );
  const execute = mock.method(vscode.commands, "executeCommand");
  await ask();
  const [message, ...answers] = (warn.mock.calls[0]?.arguments ?? []) as string[];
  return { message: message ?? "", answers, commands: execute.mock.calls.map((call) => call.arguments) };
}

test("while nothing is named to install, the offer says what to set", async () => {
  const { message, answers } = await asked(" ", "", () => offerInstall(memento, WHY));
  assert.match(message, /^Lacuna: the server is not installed\. /);
  assert.match(message, WHAT_TO_SET);
  assert.deepEqual(answers, ["Open Settings", "Don't Ask Again"]);
});

test("what is named is one click away", async () => {
  const { message, commands } = await asked("~/lacuna[cpu]", "Install", () => offerInstall(memento, WHY));
  assert.match(message, /Install what lacuna\.server\.package names/);
  assert.deepEqual(commands, [["lacuna.installServer"]]);
});

test("an installation of nothing says what to set, and opens that setting", async () => {
  const { message, commands } = await asked("", "Open Setting", askForPackage);
  assert.match(message, WHAT_TO_SET);
  assert.deepEqual(commands, [["workbench.action.openSettings", { query: "@id:lacuna.server.package" }]]);
});

test("on another machine, that machine's settings are opened", async (context) => {
  Object.assign(vscode.env, { remoteName: "ssh-remote" });
  context.after(() => Object.assign(vscode.env, { remoteName: undefined }));
  const { commands } = await asked("", "Open Settings", () => offerInstall(memento, WHY));
  assert.deepEqual(commands, [["workbench.action.openRemoteSettings", { query: "lacuna.server" }]]);
});
