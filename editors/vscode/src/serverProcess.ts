/** The server as a child process: started, watched, and its death put into words. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const GRACE_MS = 2000;

/** A script is there, but not what its first line names to run it, such as the Python of an environment. */
export class InterpreterMissingError extends Error {}

export class ServerProcess {
  /** Resolves, when the process has ended, to a phrase that says how. */
  readonly ended: Promise<string>;
  private lastWords = "";

  private constructor(readonly child: ChildProcessWithoutNullStreams) {
    this.ended = new Promise((resolve) => {
      // "close" follows "exit" when the streams are read to their end, so the last words are complete.
      child.once("close", (code, signal) => {
        const how = signal === null ? `with exit code ${code ?? "?"}` : `by signal ${signal}`;
        resolve(this.lastWords === "" ? how : `${how}: ${this.lastWords}`);
      });
    });
  }

  /** Starts `command serve`; rejects with a sentence, but for its full stop, if the system cannot run it. */
  static start(command: string, log: (line: string) => void): Promise<ServerProcess> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, ["serve"], { stdio: "pipe" });
      child.once("error", (error) => {
        const missing = (error as NodeJS.ErrnoException).code === "ENOENT" && existsSync(command);
        reject(
          missing
            ? new InterpreterMissingError(`${command} cannot be run, since its interpreter is missing`)
            : new Error(`${command} cannot be run: ${error.message}`),
        );
      });
      child.once("spawn", () => {
        const server = new ServerProcess(child);
        // What is written to a server that has gone is lost, and nothing else is wrong.
        child.stdin.on("error", () => undefined);
        createInterface(child.stderr).on("line", (line) => {
          server.lastWords = line.trim() === "" ? server.lastWords : line.trim();
          log(line);
        });
        resolve(server);
      });
    });
  }

  /** Ends the process, by force if it does not go by itself. */
  async end(): Promise<void> {
    const force = setTimeout(() => {
      this.force();
    }, GRACE_MS);
    this.child.stdin.end();
    this.child.kill();
    await this.ended;
    clearTimeout(force);
  }

  private force(): void {
    this.child.kill("SIGKILL");
    // No signal reaches what the process has started itself. Such a one would keep the streams open, and this waiting.
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) {
      stream.destroy();
    }
  }
}
