/** Inline suggestions between editor and server: when to ask, what to keep while the user types along, what to report. */

import { performance } from "node:perf_hooks";
import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";

import { Pace } from "./pace";
import { pausedEverywhere, pausedFor } from "./pause";
import { ACCEPTED_COMMAND } from "./protocol";
import type { ReadAhead } from "./readAhead";
import { type Suggestion, partlyAccepted, typedAlong, whollyAccepted } from "./suggestion";

/** A suggestion still offered this long after it was handed over counts as shown. */
const SHOWN_AFTER_MS = 100;

export interface Reports {
  shown(id: string): void;
  partiallyAccepted(id: string, acceptedLength: number): void;
}

interface Offer {
  readonly suggestion: Suggestion;
  readonly item: vscode.InlineCompletionItem;
}

type Items = vscode.InlineCompletionItem[];
type Provide = NonNullable<Middleware["provideInlineCompletionItems"]>;
type AskServer = Parameters<Provide>[4];

export class Suggestions implements vscode.Disposable {
  private readonly pace = new Pace();
  private offers: readonly Offer[] = [];
  private document: vscode.TextDocument | undefined;
  /** Where a suggestion was taken just now: what follows it is asked for at once. */
  private accepted: { readonly document: vscode.TextDocument; readonly version: number } | undefined;
  private lastShown: string | undefined;
  private readonly listener: vscode.Disposable;

  constructor(
    private readonly reports: Reports,
    private readonly readAhead: ReadAhead,
  ) {
    this.listener = vscode.workspace.onDidChangeTextDocument((event) => {
      this.changed(event);
    });
  }

  readonly middleware: Middleware = {
    provideInlineCompletionItems: (document, position, context, token, next) =>
      this.provide(document, position, context, token, next),
  };

  dispose(): void {
    this.listener.dispose();
  }

  private async provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: AskServer,
  ): Promise<Items> {
    if (pausedEverywhere() || pausedFor(document.languageId)) {
      return [];
    }
    if (context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic) {
      const kept = this.kept(document, position, context);
      if (kept.length > 0) {
        this.watch(document, token);
        return kept;
      }
      if (document === this.accepted?.document && document.version === this.accepted.version) {
        this.readAhead.asked(document, position);
      } else {
        this.readAhead.at(document, position);
        await wait(this.pace.waitMs, token);
      }
    }
    if (token.isCancellationRequested) {
      return [];
    }
    const version = document.version;
    const items = itemsOf(await next(document, position, context, token));
    return document.version === version ? this.offer(document, position, items, token) : [];
  }

  /** What was offered before and still fits, moved to where the cursor is now. */
  private kept(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
  ): Items {
    // With the suggest widget open the item must continue what is selected there, which only the server can tell.
    if (document !== this.document || context.selectedCompletionInfo !== undefined) {
      return [];
    }
    const text = document.getText();
    const cursor = document.offsetAt(position);
    return this.offers.flatMap(({ suggestion, item }) => {
      const range = typedAlong(suggestion, text, cursor);
      return range === undefined ? [] : [moved(item, document, range.start, range.end)];
    });
  }

  private offer(
    document: vscode.TextDocument,
    position: vscode.Position,
    items: Items,
    token: vscode.CancellationToken,
  ): Items {
    this.document = document;
    const text = document.getText();
    this.offers = items.map((item) => ({ item, suggestion: suggestionOf(item, document, position, text) }));
    this.watch(document, token);
    return items;
  }

  /** VS Code's stable API does not say what it shows: what is left standing for a moment was shown. */
  private watch(document: vscode.TextDocument, token: vscode.CancellationToken): void {
    const version = document.version;
    const id = this.offers[0]?.suggestion.id;
    setTimeout(() => {
      const standing =
        document.version === version &&
        !token.isCancellationRequested &&
        vscode.window.activeTextEditor?.document === document;
      if (standing && id !== undefined && id !== this.lastShown) {
        this.lastShown = id;
        this.reports.shown(id);
      }
    }, SHOWN_AFTER_MS);
  }

  private changed(event: vscode.TextDocumentChangeEvent): void {
    if (event.document !== vscode.window.activeTextEditor?.document) {
      return;
    }
    this.pace.typed(performance.now());
    const [change, ...others] = event.contentChanges;
    const suggestion = this.offers[0]?.suggestion;
    if (change === undefined || others.length > 0 || suggestion === undefined || event.document !== this.document) {
      return;
    }
    if (whollyAccepted(suggestion, change.rangeOffset, change.text)) {
      this.accepted = { document: event.document, version: event.document.version };
      return;
    }
    const length = partlyAccepted(suggestion, change.rangeOffset, change.text);
    if (length !== undefined) {
      this.reports.partiallyAccepted(suggestion.id, length);
    }
  }
}

function itemsOf(result: vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined): Items {
  return Array.isArray(result) ? result : (result?.items ?? []);
}

function suggestionOf(
  item: vscode.InlineCompletionItem,
  document: vscode.TextDocument,
  position: vscode.Position,
  text: string,
): Suggestion {
  const cursor = document.offsetAt(position);
  const start = item.range === undefined ? cursor : document.offsetAt(item.range.start);
  const end = item.range === undefined ? cursor : document.offsetAt(item.range.end);
  return {
    id: idOf(item),
    before: text.slice(0, start),
    text: typeof item.insertText === "string" ? item.insertText : item.insertText.value,
    after: text.slice(cursor),
    replaced: end - cursor,
  };
}

function idOf(item: vscode.InlineCompletionItem): string {
  const id: unknown = item.command?.command === ACCEPTED_COMMAND ? item.command.arguments?.[0] : undefined;
  return typeof id === "string" ? id : "";
}

function moved(
  item: vscode.InlineCompletionItem,
  document: vscode.TextDocument,
  start: number,
  end: number,
): vscode.InlineCompletionItem {
  const range = new vscode.Range(document.positionAt(start), document.positionAt(end));
  return new vscode.InlineCompletionItem(item.insertText, range, item.command);
}

/** Waits, but no longer than the editor is interested. */
async function wait(ms: number, token: vscode.CancellationToken): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    const cancelled = token.onCancellationRequested(done);
    function done(): void {
      clearTimeout(timer);
      cancelled.dispose();
      resolve();
    }
  });
}
