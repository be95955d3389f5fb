/** One item in the status bar: what Lacuna is doing, and a menu behind it. */

import * as vscode from "vscode";

import { pausePhrase } from "./pause";
import type { Status } from "./protocol";
import type { Server } from "./server";
import { statusLook } from "./statusLook";

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("lacuna.status", vscode.StatusBarAlignment.Right, 100);
  private readonly listeners: vscode.Disposable;

  constructor(server: Server) {
    this.item.name = "Lacuna";
    this.item.command = "lacuna.menu";
    const render = (): void => {
      this.render(server.status);
    };
    this.listeners = vscode.Disposable.from(
      server.onStatus(render),
      vscode.window.onDidChangeActiveTextEditor(render),
      vscode.workspace.onDidChangeConfiguration(render),
    );
    render();
    this.item.show();
  }

  dispose(): void {
    this.listeners.dispose();
    this.item.dispose();
  }

  private render(status: Status): void {
    const look = statusLook(status, pausePhrase(vscode.window.activeTextEditor?.document.languageId));
    this.item.text = look.text;
    this.item.tooltip = look.tooltip;
    this.item.accessibilityInformation = { label: look.tooltip };
    this.item.backgroundColor =
      look.severity === "error" ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
  }
}

interface Entry extends vscode.QuickPickItem {
  readonly command?: string;
}

/** What a click on the status bar offers; in trouble, the ways out of it stand first. */
export async function showMenu(status: Status): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const entries = [...(status.state === "error" ? remedies() : []), ...pauses(language), ...views()];
  const placeHolder = status.message;
  const picked = await vscode.window.showQuickPick(entries, { title: "Lacuna", placeHolder });
  if (picked?.command !== undefined) {
    await vscode.commands.executeCommand(picked.command);
  }
}

function remedies(): Entry[] {
  return [
    { label: "$(cloud-download) Install or Update the Server", command: "lacuna.installServer" },
    { label: "$(debug-restart) Restart the Server", command: "lacuna.restartServer" },
  ];
}

function pauses(language: string | undefined): Entry[] {
  const verb = (phrase: string): string =>
    pausePhrase(language) === phrase ? "$(debug-start) Resume" : "$(debug-pause) Pause";
  const everywhere = { label: `${verb("everywhere")} Everywhere`, command: "lacuna.pauseEverywhere" };
  if (language === undefined || pausePhrase(language) === "everywhere") {
    return [everywhere];
  }
  const here = { label: `${verb(`for ${language}`)} for ${language}`, command: "lacuna.pauseLanguage" };
  return [here, everywhere];
}

function views(): Entry[] {
  return [
    { label: "$(question) Why Was Nothing Suggested?", command: "lacuna.why" },
    { label: "$(eye) Show How the Last Suggestion Was Denoised", command: "lacuna.showDenoising" },
    { label: "", kind: vscode.QuickPickItemKind.Separator },
    { label: "$(gear) Open Settings", command: "lacuna.openSettings" },
    { label: "$(output) Show Output", command: "lacuna.showOutput" },
  ];
}
