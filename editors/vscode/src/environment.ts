/** The extension's own virtual environment: made and filled by one command, in its storage folder. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as vscode from "vscode";

import { scripts } from "./program";
import { pipRuns } from "./requirement";

/** What `requires-python` says in the server's package. */
const WANTED_PYTHON = "Python 3.11 to 3.14";
const PYTHONS = ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "py"];
const HAS_VERSION = "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))";
/** To make an environment takes more than to fill one. */
const IS_WANTED = `import venv, ensurepip; ${HAS_VERSION}`;

interface Progress {
  readonly line: (text: string) => void;
  readonly token: vscode.CancellationToken;
}

/** Installs `requirement` with a progress bar; resolves to whether it is there, having told the user if not. */
export async function installServer(
  folder: string,
  requirement: string,
  log: vscode.LogOutputChannel,
): Promise<boolean> {
  const location = vscode.ProgressLocation.Notification;
  const options = { location, title: "Installing the Lacuna server", cancellable: true };
  try {
    await vscode.window.withProgress(options, (progress, token) => {
      const line = (text: string): void => {
        log.info(text);
        progress.report({ message: text.slice(0, 80) });
      };
      return install(folder, requirement, { line, token });
    });
    return true;
  } catch (error) {
    if (!(error instanceof vscode.CancellationError)) {
      log.error(String(error));
      const reason = error instanceof Error ? error.message : String(error);
      void vscode.window.showErrorMessage(`The Lacuna server was not installed. ${reason}`);
    }
    return false;
  }
}

async function install(folder: string, requirement: string, progress: Progress): Promise<void> {
  const python = join(scripts(folder), process.platform === "win32" ? "python.exe" : "python");
  if (!(await isWhole(python, progress))) {
    await run(await findPython(progress), ["-m", "venv", "--clear", folder], progress);
  }
  for (const words of pipRuns(requirement)) {
    await run(python, ["-m", "pip", "install", "--disable-pip-version-check", ...words], progress);
  }
}

/**
 * Whether the environment of `python` can be filled. One that was left half made cannot, nor can one whose Python the
 * system has removed or replaced. Only such a one is made anew: one that works may be in use by another window.
 */
async function isWhole(python: string, progress: Progress): Promise<boolean> {
  return (
    (await succeeds(python, ["-c", HAS_VERSION], progress)) &&
    (await succeeds(python, ["-m", "pip", "--version"], progress))
  );
}

async function findPython(progress: Progress): Promise<string> {
  progress.line("Looking for Python");
  for (const python of PYTHONS) {
    if (await succeeds(python, ["-c", IS_WANTED], progress)) {
      return python;
    }
  }
  throw new Error(
    `No ${WANTED_PYTHON} with venv and pip is on PATH. Install one (on Debian: python3-venv) and try again.`,
  );
}

/** Whether the command ends well; what it says is not shown. */
async function succeeds(command: string, words: readonly string[], { token }: Progress): Promise<boolean> {
  const silent = { token, line: (): void => undefined };
  const done = await run(command, words, silent).then(
    () => true,
    () => false,
  );
  if (token.isCancellationRequested) {
    throw new vscode.CancellationError();
  }
  return done;
}

function run(command: string, words: readonly string[], { line, token }: Progress): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"] });
    const cancelled = token.onCancellationRequested(() => child.kill());
    let last = "";
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (text) => {
        last = text.trim() === "" ? last : text.trim();
        line(text);
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      cancelled.dispose();
      if (token.isCancellationRequested) {
        reject(new vscode.CancellationError());
      } else if (code === 0) {
        resolve();
      } else {
        reject(new Error(`\`${command} ${words.slice(0, 3).join(" ")}\` ended with exit code ${code ?? "?"}: ${last}`));
      }
    });
  });
}
