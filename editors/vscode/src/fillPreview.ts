/** The filled text beside the file as it is, to be applied or discarded. */

import * as vscode from "vscode";

import { edited } from "./textEdits";

export const PREVIEW_SCHEME = "lacuna-fill";
const CONTEXT = "lacuna.previewing";

interface Pending {
  readonly document: vscode.TextDocument;
  readonly version: number;
  readonly edits: readonly vscode.TextEdit[];
  readonly text: string;
  readonly uri: vscode.Uri;
}

export class FillPreview implements vscode.Disposable, vscode.TextDocumentContentProvider {
  private pending: Pending | undefined;
  private shown = 0;
  private readonly listeners: vscode.Disposable;

  constructor() {
    this.listeners = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(PREVIEW_SCHEME, this),
      vscode.window.tabGroups.onDidChangeTabs(({ closed }) => {
        if (closed.some((tab) => this.isPreview(tab))) {
          this.settle();
        }
      }),
    );
  }

  dispose(): void {
    this.listeners.dispose();
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.pending?.uri.toString() === uri.toString() ? this.pending.text : "";
  }

  /** Opens the difference; `version` is that of the document the edits were made for. */
  async show(
    document: vscode.TextDocument,
    version: number,
    edits: readonly vscode.TextEdit[],
    what: string,
  ): Promise<void> {
    if (document.version !== version) {
      tellStale();
      return;
    }
    await this.discard();
    const text = edited(document.getText(), edits.map((edit) => offsets(document, edit)));
    // VS Code keeps the text of an address it has seen, so every preview has an address of its own.
    this.shown += 1;
    const uri = document.uri.with({ scheme: PREVIEW_SCHEME, authority: "", query: String(this.shown) });
    this.pending = { document, version, edits, text, uri };
    await vscode.commands.executeCommand("setContext", CONTEXT, true);
    // By its address the text of a notebook's cell would be taken for the whole notebook.
    await vscode.languages.setTextDocumentLanguage(await vscode.workspace.openTextDocument(uri), document.languageId);
    const name = document.uri.path.split("/").pop() ?? "";
    await vscode.commands.executeCommand("vscode.diff", document.uri, uri, `${name}: ${what}`);
  }

  async apply(): Promise<void> {
    const { pending } = this;
    if (pending === undefined) {
      return;
    }
    if (pending.document.version !== pending.version) {
      tellStale();
      return;
    }
    const change = new vscode.WorkspaceEdit();
    change.set(pending.document.uri, [...pending.edits]);
    if (!(await vscode.workspace.applyEdit(change))) {
      void vscode.window.showWarningMessage("Lacuna: VS Code did not apply the fill. It is kept here: apply it again, or discard it.");
      return;
    }
    await this.discard();
    const editor = await vscode.window.showTextDocument(pending.document);
    const start = pending.edits[0]?.range.start;
    if (start !== undefined) {
      editor.selection = new vscode.Selection(start, start);
      editor.revealRange(editor.selection, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    }
  }

  /** Closes the preview, if there is one; the file stays as it is. */
  async discard(): Promise<void> {
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    await vscode.window.tabGroups.close(tabs.filter((tab) => this.isPreview(tab)));
    this.settle();
  }

  private settle(): void {
    this.pending = undefined;
    void vscode.commands.executeCommand("setContext", CONTEXT, false);
  }

  private isPreview({ input }: vscode.Tab): boolean {
    return input instanceof vscode.TabInputTextDiff && input.modified.toString() === this.pending?.uri.toString();
  }
}

function offsets(document: vscode.TextDocument, edit: vscode.TextEdit): { start: number; end: number; text: string } {
  return {
    start: document.offsetAt(edit.range.start),
    end: document.offsetAt(edit.range.end),
    text: edit.newText,
  };
}

function tellStale(): void {
  void vscode.window.showWarningMessage(
    "Lacuna: the file has changed since the lines were filled, so nothing was applied. Fill them again.",
  );
}
