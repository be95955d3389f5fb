/** Pausing is two of the user's settings, so it lasts, shows in the settings editor, and the server knows of it. */

import * as vscode from "vscode";

const EVERYWHERE = "enabled";
const LANGUAGES = "disabledLanguages";

export function pausedEverywhere(): boolean {
  return !configuration().get(EVERYWHERE, true);
}

export function pausedFor(language: string): boolean {
  return pausedLanguages().includes(language);
}

/** Where Lacuna is paused, as a phrase for people, or undefined where it works. */
export function pausePhrase(language: string | undefined): string | undefined {
  if (pausedEverywhere()) {
    return "everywhere";
  }
  return language !== undefined && pausedFor(language) ? `for ${language}` : undefined;
}

export async function togglePauseEverywhere(): Promise<void> {
  await update(EVERYWHERE, pausedEverywhere());
}

export async function togglePauseForLanguage(): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (language === undefined) {
    void vscode.window.showInformationMessage("Lacuna: no file is open, so there is no language to pause.");
    return;
  }
  const languages = pausedFor(language)
    ? pausedLanguages().filter((other) => other !== language)
    : [...pausedLanguages(), language];
  await update(LANGUAGES, languages);
}

/** Writes where the setting has its value from; elsewhere a workspace that sets it would outrank what is written. */
async function update(key: string, value: unknown): Promise<void> {
  const inWorkspace = configuration().inspect(key)?.workspaceValue !== undefined;
  const { Workspace, Global } = vscode.ConfigurationTarget;
  await configuration().update(key, value, inWorkspace ? Workspace : Global);
}

function pausedLanguages(): readonly string[] {
  return configuration().get<string[]>(LANGUAGES, []);
}

function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("lacuna");
}
