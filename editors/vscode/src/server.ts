/** The running server and the client that speaks to it; brings it up again when it dies. */

import { isDeepStrictEqual } from "node:util";
import * as vscode from "vscode";
import {
  CloseAction,
  type DocumentSelector,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  type Middleware,
} from "vscode-languageclient/node";

import { type Status, statusNotification } from "./protocol";
import { findProgram } from "./program";
import { MOST_RESTARTS, Restarts } from "./restarts";
import { InterpreterMissingError, ServerProcess } from "./serverProcess";
import { serverPath } from "./settings";

const SCHEMES = ["file", "untitled"];

/** The documents that the server is told of: files, what is not saved yet, and the cells of notebooks that are either. */
export const SERVED: DocumentSelector = SCHEMES.flatMap((scheme) => [
  { scheme },
  { notebook: { notebookType: "*", scheme } },
]);

const STARTING = "the server is being started.";

export interface ServerOptions {
  readonly log: vscode.LogOutputChannel;
  /** The folder of the extension's own virtual environment; it need not be there. */
  readonly environment: string;
  readonly settings: () => Record<string, unknown>;
  readonly middleware: Middleware;
  /** Called with what is wrong, part of a sentence, when there is no server to start and installing one would help. */
  readonly offerInstall: (why: string) => void;
}

export class Server implements vscode.Disposable {
  private readonly statusEmitter = new vscode.EventEmitter<Status>();
  readonly onStatus = this.statusEmitter.event;
  private readonly restarts = new Restarts();
  private running: { readonly client: LanguageClient; readonly process: ServerProcess } | undefined;
  private latest: Status = { state: "loading", message: STARTING };
  /** Grows with every start and stop the user asks for, so that a slower one before it gives way. */
  private turn = 0;

  constructor(private readonly options: ServerOptions) {}

  get status(): Status {
    return this.latest;
  }

  /** The client, while the server runs and is initialized. */
  get client(): LanguageClient | undefined {
    return this.running?.client.isRunning() === true ? this.running.client : undefined;
  }

  /** Stops a server that runs, and starts one afresh. */
  async restart(): Promise<void> {
    const stopped = this.stop();
    const { turn } = this;
    await stopped;
    if (turn === this.turn) {
      this.restarts.reset();
      await this.start(turn);
    }
  }

  async stop(why = "the server is stopped."): Promise<void> {
    this.turn += 1;
    this.report({ state: "off", message: why });
    const { running } = this;
    this.running = undefined;
    // A client that is not yet initialized refuses to stop; its process is ended all the same.
    await running?.client.dispose().catch(() => undefined);
    await running?.process.end();
  }

  configure(): void {
    const settings = { lacuna: this.options.settings() };
    void this.client?.sendNotification("workspace/didChangeConfiguration", { settings });
  }

  dispose(): void {
    void this.stop();
    this.statusEmitter.dispose();
  }

  private async start(turn: number): Promise<void> {
    this.report({ state: "loading", message: STARTING });
    const program = await findProgram(serverPath(), this.options.environment);
    if ("missing" in program) {
      this.report({ state: "error", message: program.missing });
      if (program.installable) {
        this.options.offerInstall("the server is not installed");
      }
      return;
    }
    this.options.log.info(`Starting ${program.command}`);
    try {
      await this.run(program.command, turn);
    } catch (error) {
      this.notStarted(error);
    }
  }

  private notStarted(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const installable = error instanceof InterpreterMissingError;
    const remedy = installable ? " Run Lacuna: Install or Update the Server." : "";
    this.report({ state: "error", message: `The server did not start: ${reason}.${remedy}` });
    if (installable) {
      this.options.offerInstall(reason);
    }
  }

  private async run(command: string, turn: number): Promise<void> {
    const { log } = this.options;
    const process = await ServerProcess.start(command, (line) => {
      log.info(line);
    });
    if (turn !== this.turn) {
      await process.end();
      return;
    }
    const client = this.connect(process);
    this.running = { client, process };
    void process.ended.then((how) => this.died(how, turn));
    // What changes from here on is told when the server runs: before, it may have been given the settings already.
    const settings = this.options.settings();
    try {
      await client.start();
      if (!isDeepStrictEqual(settings, this.options.settings())) {
        this.configure();
      }
    } catch (error) {
      log.error(`The server was not initialized: ${String(error)}`);
      await process.end();
    }
  }

  private connect(process: ServerProcess): LanguageClient {
    const { log, settings, middleware } = this.options;
    const options: LanguageClientOptions = {
      documentSelector: SERVED,
      // The server asks for all notebooks; those of a comparison, for instance, are left out as their like of files are.
      notebookDocumentOptions: {
        filterCells: (notebook, cells) => (SCHEMES.includes(notebook.uri.scheme) ? cells : []),
      },
      outputChannel: log,
      initializationOptions: settings,
      middleware,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        // Whether to start again is decided when the process has ended, where the reason is known.
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true, message: "The connection is closed." }),
      },
      stdioOptions: { stdout: () => undefined, stderr: () => undefined },
    };
    const client = new QuietClient("lacuna", "Lacuna", () => Promise.resolve(process.child), options);
    client.onNotification(statusNotification, (status) => {
      this.report(status);
    });
    return client;
  }

  private async died(how: string, turn: number): Promise<void> {
    if (turn !== this.turn) {
      return;
    }
    this.running = undefined;
    const again = this.restarts.next();
    if (again === undefined) {
      const message = `The server ended ${how}. It was restarted ${MOST_RESTARTS} times already. Click to restart it.`;
      this.report({ state: "error", message });
      return;
    }
    const message = `The server ended ${how}. Restarting (${again.number} of ${MOST_RESTARTS}).`;
    this.report({ state: "error", message });
    await new Promise((resolve) => setTimeout(resolve, again.waitMs));
    if (turn === this.turn) {
      await this.start(turn);
    }
  }

  private report(status: Status): void {
    if (status.state === "error") {
      this.options.log.error(status.message);
    }
    this.latest = status;
    this.statusEmitter.fire(status);
  }
}

/** The status bar speaks for the server, so what the client would pop up goes to the output alone. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}
