/** Lacuna in VS Code: what there is, and what each command does. */

import * as vscode from "vscode";

import { DenoisingPanel } from "./denoising";
import { installServer } from "./environment";
import { fillLines } from "./fillLines";
import { FillPreview } from "./fillPreview";
import { askForPackage, offerInstall } from "./installOffer";
import { togglePauseEverywhere, togglePauseForLanguage } from "./pause";
import { passedOver } from "./program";
import { partiallyAcceptedNotification, shownNotification } from "./protocol";
import { ReadAhead } from "./readAhead";
import { Server } from "./server";
import { changedSettings, type Manifest, openSettings, serverPackage, serverPath, serverSettings } from "./settings";
import { showMenu, StatusBar } from "./statusBar";
import { type Reports, Suggestions } from "./suggestions";
import { showWhy } from "./why";

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Lacuna", { log: true });
  const environment = vscode.Uri.joinPath(context.globalStorageUri, "server").fsPath;
  const manifest = context.extension.packageJSON as Manifest;

  const readAhead = new ReadAhead(() => server);
  const suggestions = new Suggestions(reports(() => server), readAhead);
  const server: Server = new Server({
    log,
    environment,
    settings: () => serverSettings(manifest),
    middleware: suggestions.middleware,
    offerInstall: (why) => void offerInstall(context.globalState, why),
  });
  const preview = new FillPreview();
  const denoising = new DenoisingPanel(server, context.extensionUri);

  const commands: Record<string, () => unknown> = {
    "lacuna.suggest": () => vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
    "lacuna.fillLines": () => fillLines(server, preview),
    "lacuna.applyFill": alone(() => preview.apply()),
    "lacuna.discardFill": () => preview.discard(),
    "lacuna.showDenoising": () => denoising.show(),
    "lacuna.why": () => showWhy(server),
    "lacuna.pauseEverywhere": () => togglePauseEverywhere(),
    "lacuna.pauseLanguage": () => togglePauseForLanguage(),
    "lacuna.installServer": alone(() => install(server, environment, log)),
    "lacuna.restartServer": () => server.restart(),
    "lacuna.showOutput": () => {
      log.show();
    },
    "lacuna.openSettings": () => openSettings("lacuna."),
    "lacuna.menu": () => showMenu(server.status),
  };
  for (const [name, run] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, run));
  }
  context.subscriptions.push(log, readAhead, suggestions, server, preview, denoising, new StatusBar(server), tickWalkthrough(server), readOnceLoaded(server, readAhead));
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      settingsChanged(event, server);
    }),
  );
  void server.restart();
}

function reports(server: () => Server): Reports {
  return {
    shown: (id) => {
      void server().client?.sendNotification(shownNotification, { id });
      void vscode.commands.executeCommand("setContext", "lacuna.suggested", true);
    },
    partiallyAccepted: (id, acceptedLength) => {
      void server().client?.sendNotification(partiallyAcceptedNotification, { id, acceptedLength });
    },
  };
}

function readOnceLoaded(server: Server, readAhead: ReadAhead): vscode.Disposable {
  let before = server.status.state;
  return server.onStatus(({ state }) => {
    if (before === "loading" && state === "ready") {
      readAhead.again();
    }
    before = state;
  });
}

/** The walkthrough's first step is done when a server is ready for the first time. */
function tickWalkthrough(server: Server): vscode.Disposable {
  const listener = server.onStatus(({ state }) => {
    if (state === "ready") {
      listener.dispose();
      void vscode.commands.executeCommand("setContext", "lacuna.serverRunning", true);
    }
  });
  return listener;
}

async function install(server: Server, environment: string, log: vscode.LogOutputChannel): Promise<void> {
  const requirement = serverPackage();
  if (requirement === "") {
    // Not awaited: the command can be run again before it is answered.
    void askForPackage();
    return;
  }
  // On some systems a running program cannot be replaced.
  await server.stop("the server is being installed.");
  const installed = await installServer(environment, requirement, log);
  await server.restart();
  const instead = installed ? await passedOver(serverPath(), environment) : undefined;
  if (instead !== undefined) {
    void vscode.window.showWarningMessage(`Lacuna: ${instead}`);
  }
}

/** `run`, but not twice at a time: a call while it runs waits for that run. */
function alone(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () =>
    (running ??= run().finally(() => {
      running = undefined;
    }));
}

function settingsChanged(event: vscode.ConfigurationChangeEvent, server: Server): void {
  const changed = changedSettings(event);
  if (changed === "server") {
    void server.restart();
  } else if (changed === "other") {
    server.configure();
  }
}
