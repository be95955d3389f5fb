/** Where the server's program is: the setting, PATH, or the extension's own environment, in this order. */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";

import { fromHome } from "./home";

const WINDOWS = process.platform === "win32";
const NAME = WINDOWS ? "lacuna.exe" : "lacuna";

/** The program to run as `lacuna`, or a sentence that says why there is none and what to do. */
export type Program =
  | { readonly command: string }
  | { readonly missing: string; readonly installable: boolean };

export async function findProgram(
  setting: string,
  environment: string,
  searchPath: string = process.env.PATH ?? "",
): Promise<Program> {
  if (setting !== "") {
    return named(setting);
  }
  const folders = [...searchPath.split(delimiter).filter(Boolean), scripts(environment)];
  for (const folder of folders) {
    const command = join(folder, NAME);
    if (await runs(command)) {
      return { command };
    }
  }
  return { missing: "The server is not installed. Click to see how to install it.", installable: true };
}

/** Which program is run instead of the installed one, why, and what to do; undefined where that one is run. */
export async function passedOver(
  setting: string,
  environment: string,
  searchPath: string = process.env.PATH ?? "",
): Promise<string | undefined> {
  const program = await findProgram(setting, environment, searchPath);
  const installed = join(scripts(environment), NAME);
  if ("missing" in program || program.command === installed) {
    return undefined;
  }
  const [why, remedy] =
    setting === ""
      ? ["it is on PATH", `Set lacuna.server.path to ${installed}`]
      : ["the setting lacuna.server.path names it", "Clear the setting"];
  return `${program.command} is run and not what was installed, since ${why}. ${remedy} to run what was installed.`;
}

/** The folder in which a virtual environment keeps its programs. */
export function scripts(environment: string): string {
  return join(environment, WINDOWS ? "Scripts" : "bin");
}

async function named(setting: string): Promise<Program> {
  const command = fromHome(setting);
  if (await runs(command)) {
    return { command };
  }
  // A wrong path is never passed over in silence: the user would debug another program than the one named.
  const missing = `The setting lacuna.server.path names ${command}, which is not a program. Correct or clear it.`;
  return { missing, installable: false };
}

async function runs(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
