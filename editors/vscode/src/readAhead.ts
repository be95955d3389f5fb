/** Tells the server where a request is likely, so that it reads what stands around it before it is asked. */

import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

import { pausePhrase } from "./pause";
import { readAheadNotification } from "./protocol";
import { Rest } from "./rest";
import { SERVED, type Server } from "./server";

/** A cursor that has not moved for so long is where the user looks. */
const REST_MS = 150;

interface Place {
  readonly document: vscode.TextDocument;
  readonly version: number;
  readonly position: vscode.Position;
}

export class ReadAhead implements vscode.Disposable {
  private readonly listeners: vscode.Disposable;
  private told: Place | undefined;

  /** `server` is there when the first place is told, not before. */
  constructor(private readonly server: () => Server) {
    const rest = new Rest(REST_MS, () => {
      this.rested();
    });
    this.listeners = vscode.Disposable.from(
      rest,
      vscode.window.onDidChangeActiveTextEditor(() => {
        rest.moved();
      }),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
        if (textEditor === vscode.window.activeTextEditor) {
          rest.moved();
        }
      }),
    );
  }

  dispose(): void {
    this.listeners.dispose();
  }

  /** Tells the server of a place, if it serves the document and Lacuna is not paused there. */
  private at(document: vscode.TextDocument, position: vscode.Position): void {
    const { client } = this.server();
    if (client === undefined || pausePhrase(document.languageId) !== undefined || !serves(client, document)) {
      return;
    }
    this.told = { document, version: document.version, position };
    const params = client.code2ProtocolConverter.asTextDocumentPositionParams(document, position);
    void client.sendNotification(readAheadNotification, params);
  }

  /** The server is asked at a place, or need not be: it has nothing to read there ahead. */
  asked(document: vscode.TextDocument, position: vscode.Position): void {
    this.told = { document, version: document.version, position };
  }

  /** Tells of the cursor's place once more: a server that was loading its model could not read. */
  again(): void {
    this.told = undefined;
    this.rested();
  }

  private rested(): void {
    const editor = vscode.window.activeTextEditor;
    // The cursor rests after typing too, where the server has just been asked.
    if (editor?.selection.isEmpty === true && showsSuggestions(editor.document) && !this.isTold(editor)) {
      this.at(editor.document, editor.selection.active);
    }
  }

  private isTold({ document, selection }: vscode.TextEditor): boolean {
    const { told } = this;
    return (
      told?.document === document && told.version === document.version && told.position.isEqual(selection.active)
    );
  }
}

function serves(client: LanguageClient, document: vscode.TextDocument): boolean {
  return vscode.languages.match(client.protocol2CodeConverter.asDocumentSelector(SERVED), document) > 0;
}

/** Where the editor shows none, nothing is likely to be asked. */
function showsSuggestions(document: vscode.TextDocument): boolean {
  return vscode.workspace.getConfiguration("editor", document).get("inlineSuggest.enabled", true);
}
