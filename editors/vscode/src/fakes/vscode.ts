/** As much of VS Code as the unit tests need; a real one is driven by the repository's tests/editors/vscode. */

const nothing = { dispose: (): void => undefined };

export const env: { remoteName?: string } = {};
export const Disposable = { from: () => nothing };
export const commands = { executeCommand: () => Promise.resolve() };
export const languages = { setTextDocumentLanguage: () => Promise.resolve() };
export const workspace = {
  registerTextDocumentContentProvider: () => nothing,
  openTextDocument: () => Promise.resolve({}),
  applyEdit: () => Promise.resolve(true),
  getConfiguration: () => ({ get: (_: string, value: unknown) => value }),
};
export const window = {
  tabGroups: { all: [], close: () => Promise.resolve(true), onDidChangeTabs: () => nothing },
  showTextDocument: () => Promise.resolve({}),
  showWarningMessage: () => Promise.resolve(),
  showErrorMessage: () => Promise.resolve(),
  withProgress: (_: unknown, task: (progress: unknown, token: unknown) => Promise<void>) =>
    task({ report: () => undefined }, { isCancellationRequested: false, onCancellationRequested: () => nothing }),
};
export const ProgressLocation = { Notification: 15 };
export class CancellationError extends Error {}
export class WorkspaceEdit {
  set(): void {
    // Whether it is applied is what applyEdit says.
  }
}
