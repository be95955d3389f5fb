/** As much of VS Code as the unit tests need; a real one is driven by the repository's tests/editors/vscode. */

const nothing = { dispose: (): void => undefined };

export const Disposable = { from: () => nothing };
export const commands = { executeCommand: () => Promise.resolve() };
export const languages = { setTextDocumentLanguage: () => Promise.resolve() };
export const workspace = {
  registerTextDocumentContentProvider: () => nothing,
  openTextDocument: () => Promise.resolve({}),
  applyEdit: () => Promise.resolve(true),
};
export const window = {
  tabGroups: { all: [], close: () => Promise.resolve(true), onDidChangeTabs: () => nothing },
  showTextDocument: () => Promise.resolve({}),
  showWarningMessage: () => Promise.resolve(),
};
export class WorkspaceEdit {
  set(): void {
    // Whether it is applied is what applyEdit says.
  }
}
