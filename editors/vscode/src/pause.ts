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
  await configuration().update(EVERYWHERE, pausedEverywhere(), vscode.ConfigurationTarget.Global);
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
  await configuration().update(LANGUAGES, languages, vscode.ConfigurationTarget.Global);
}

function pausedLanguages(): readonly string[] {
  return configuration().get<string[]>(LANGUAGES, []);
}

function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("lacuna");
}
