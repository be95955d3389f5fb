/** Says why nothing was suggested: from here if the request was never sent, else in the server's words. */

import * as vscode from "vscode";

import { pausePhrase } from "./pause";
import { type Why, whyRequest } from "./protocol";
import type { Server } from "./server";

export async function showWhy(server: Server): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  void vscode.window.showInformationMessage(`Lacuna: ${await explain(server, document)}`);
}

async function explain(server: Server, document: vscode.TextDocument | undefined): Promise<string> {
  if (document === undefined) {
    return "no file is open.";
  }
  const paused = pausePhrase(document.languageId);
  if (paused !== undefined) {
    return `it is paused ${paused}; a click on its item in the status bar resumes it.`;
  }
  const { client } = server;
  if (client === undefined) {
    return server.status.message;
  }
  if (!vscode.workspace.getConfiguration("editor", document).get<boolean>("inlineSuggest.enabled", true)) {
    return "the setting editor.inlineSuggest.enabled is off, so VS Code does not ask for suggestions.";
  }
  const uri = client.code2ProtocolConverter.asUri(document.uri);
  return inWords(await client.sendRequest(whyRequest, { textDocument: { uri } }));
}

function inWords({ reason, detail }: Why): string {
  if (reason === null) {
    return "the last request in this file was answered with a suggestion, or none has been made yet.";
  }
  return detail ?? reason;
}
