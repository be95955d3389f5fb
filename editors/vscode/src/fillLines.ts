/** Fills the selected lines: asks the server, shows the difference, and changes the file only when the user says so. */

import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

import type { FillPreview } from "./fillPreview";
import { type FilledLines, fillLinesRequest } from "./protocol";
import type { Server } from "./server";

export async function fillLines(server: Server, preview: FillPreview): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const { client } = server;
  if (editor === undefined || client === undefined) {
    const reason = editor === undefined ? "no file is open." : server.status.message;
    void vscode.window.showInformationMessage(`Lacuna: ${reason}`);
    return;
  }
  const { document } = editor;
  const lines = selectedLines(editor.selection);
  const filled = await request(client, document, lines);
  if (filled === undefined) {
    return;
  }
  if (filled.edits.length === 0) {
    const reason = filled.detail ?? "the model would leave these lines as they are.";
    void vscode.window.showInformationMessage(`Lacuna: ${reason}`);
    return;
  }
  const edits = await client.protocol2CodeConverter.asTextEdits([...filled.edits]);
  await preview.show(document, filled.version, edits, `${lines.phrase} filled by Lacuna`);
}

interface Lines {
  readonly start: number;
  readonly end: number;
  readonly phrase: string;
}

/** A selection that ends before the first character of a line does not mean that line. */
function selectedLines(selection: vscode.Selection): Lines {
  const start = selection.start.line;
  const spills = selection.end.line > start && selection.end.character === 0;
  const end = spills ? selection.end.line - 1 : selection.end.line;
  return { start, end, phrase: start === end ? `line ${start + 1}` : `lines ${start + 1} to ${end + 1}` };
}

async function request(
  client: LanguageClient,
  document: vscode.TextDocument,
  { start, end, phrase }: Lines,
): Promise<FilledLines | undefined> {
  const location = vscode.ProgressLocation.Notification;
  const options = { location, title: `Lacuna fills ${phrase}`, cancellable: true };
  const textDocument = {
    uri: client.code2ProtocolConverter.asUri(document.uri),
    version: document.version,
  };
  const params = { textDocument, startLine: start, endLine: end };
  return vscode.window.withProgress(options, async (_progress, token) => {
    try {
      return await client.sendRequest(fillLinesRequest, params, token);
    } catch (error) {
      if (!token.isCancellationRequested) {
        const reason = error instanceof Error ? error.message : String(error);
        void vscode.window.showErrorMessage(`Lacuna could not fill ${phrase}: ${reason}`);
      }
      return undefined;
    }
  });
}
