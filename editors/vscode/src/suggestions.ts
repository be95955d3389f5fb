/** Inline suggestions between editor and server: when to ask, what to keep while the user types along, what to report. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";

import { pausedEverywhere, pausedFor } from "./pause";
import { ACCEPTED_COMMAND } from "./protocol";
import type { ReadAhead } from "./readAhead";
import { type Suggestion, partlyAccepted, typedAlong } from "./suggestion";

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
  private offers: readonly Offer[] = [];
  private document: vscode.TextDocument | undefined;
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
      this.readAhead.asked(document, position);
      const kept = this.kept(document, position, context);
      if (kept.length > 0) {
        this.watch(document, token);
        return kept;
      }
      // VS Code has waited 50 ms for another key. Answers mostly come before the next, so no pause in typing is waited for.
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
    const [change, ...others] = event.contentChanges;
    const suggestion = this.offers[0]?.suggestion;
    if (change === undefined || others.length > 0 || suggestion === undefined || event.document !== this.document) {
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
