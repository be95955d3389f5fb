/** A panel that plays how the last suggestion was denoised, step by step. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

import { type Trace, traceRequest } from "./protocol";
import type { Server } from "./server";

export class DenoisingPanel implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;

  constructor(
    private readonly server: Server,
    private readonly extension: vscode.Uri,
  ) {}

  async show(): Promise<void> {
    const { client } = this.server;
    const trace = await client?.sendRequest(traceRequest, {});
    if (trace === undefined || trace.steps.length === 0) {
      const reason = client === undefined ? this.server.status.message : "nothing has been suggested yet.";
      void vscode.window.showInformationMessage(`Lacuna: ${reason}`);
      return;
    }
    this.play(trace);
  }

  dispose(): void {
    this.panel?.dispose();
  }

  private play(trace: Trace): void {
    this.panel ??= this.open();
    this.panel.webview.html = this.page(this.panel.webview, trace);
    this.panel.reveal(undefined, true);
  }

  private open(): vscode.WebviewPanel {
    const roots = [this.resource("dist"), this.resource("media")];
    const panel = vscode.window.createWebviewPanel(
      "lacuna.denoising",
      "Lacuna: Denoising",
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: roots },
    );
    panel.onDidDispose(() => {
      this.panel = undefined;
    });
    return panel;
  }

  private page(webview: vscode.Webview, trace: Trace): string {
    const nonce = randomBytes(16).toString("hex");
    const script = webview.asWebviewUri(this.resource("dist", "denoising.js")).toString();
    const style = webview.asWebviewUri(this.resource("media", "denoising.css")).toString();
    const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
    // The trace is the user's own code: as JSON in a data block it is never parsed as markup or script.
    const data = JSON.stringify(trace).replaceAll("<", "\\u003c");
    return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <link rel="stylesheet" href="${style}">
  <title>Denoising</title>
</head>
<body>
  <script type="application/json" id="trace" nonce="${nonce}">${data}</script>
  <script src="${script}" nonce="${nonce}"></script>
</body>
</html>`;
  }

  private resource(...path: string[]): vscode.Uri {
    return vscode.Uri.joinPath(this.extension, ...path);
  }
}
