/** What the user is told, and offered, where no server is installed or none is named to be installed. */

import * as vscode from "vscode";

import { openSettings, serverPackage } from "./settings";

const SET_PACKAGE =
  "Set lacuna.server.package to /path/to/checkout[cpu] and run Lacuna: Install or Update the Server";

/** Where it is kept that the user wants no offer; the status bar says all the same that there is no server. */
const NO_OFFER = "lacuna.noOfferToInstall";

/** Offers to install a server. `why` is the part of the sentence that says why there is none, or none that runs. */
export async function offerInstall(globalState: vscode.Memento, why: string): Promise<void> {
  if (globalState.get<boolean>(NO_OFFER, false)) {
    return;
  }
  const named = serverPackage() !== "";
  const how = named ? "Install what lacuna.server.package names" : SET_PACKAGE;
  const message = `Lacuna: ${why}. ${how}, or set lacuna.server.path to where the server is.`;
  const answers = [...(named ? ["Install"] : []), "Open Settings", "Don't Ask Again"];
  const answer = await vscode.window.showWarningMessage(message, ...answers);
  if (answer === "Install") {
    await vscode.commands.executeCommand("lacuna.installServer");
  } else if (answer === "Open Settings") {
    await openSettings("lacuna.server");
  } else if (answer === "Don't Ask Again") {
    await globalState.update(NO_OFFER, true);
  }
}

/** Says that the setting which names what to install is empty, and opens it if the user wants. */
export async function askForPackage(): Promise<void> {
  const message = `Lacuna: nothing was installed. ${SET_PACKAGE} again.`;
  const answer = await vscode.window.showWarningMessage(message, "Open Setting");
  if (answer === "Open Setting") {
    await openSettings("@id:lacuna.server.package");
  }
}
