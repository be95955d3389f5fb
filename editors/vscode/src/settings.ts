/** The user's settings. package.json is their only list: type, default and description stand there. */

import * as vscode from "vscode";

const SECTION = "lacuna";
const CLIENT_ONLY = "lacuna.server.";

export interface Manifest {
  readonly contributes: {
    readonly configuration: readonly { readonly properties: Record<string, unknown> }[];
  };
}

/** What the server is told: every setting but those that say how to start it. */
export function serverSettings(manifest: Manifest): Record<string, unknown> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return Object.fromEntries(
    manifest.contributes.configuration
      .flatMap((group) => Object.keys(group.properties))
      .filter((name) => !name.startsWith(CLIENT_ONLY))
      .map((name) => name.slice(SECTION.length + 1))
      .map((key) => [key, configuration.get(key)]),
  );
}

export function serverPath(): string {
  return vscode.workspace.getConfiguration(SECTION).get("server.path", "").trim();
}

export function serverPackage(): string {
  return vscode.workspace.getConfiguration(SECTION).get("server.package", "").trim();
}

export function changedSettings(event: vscode.ConfigurationChangeEvent): "server" | "other" | "none" {
  if (event.affectsConfiguration("lacuna.server.path")) {
    return "server";
  }
  return event.affectsConfiguration(SECTION) ? "other" : "none";
}

/** Opens the settings editor. Some settings are the machine's, which a remote window does not show among the user's. */
export async function openSettings(query: string): Promise<void> {
  const command = vscode.env.remoteName === undefined ? "openSettings" : "openRemoteSettings";
  await vscode.commands.executeCommand(`workbench.action.${command}`, { query });
}
