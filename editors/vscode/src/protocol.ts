/** What goes over the wire beyond LSP itself; docs/protocol.md is the contract. */

import { NotificationType, RequestType, type TextDocumentPositionParams, type TextEdit } from "vscode-languageclient/node";

export interface Status {
  readonly state: "loading" | "ready" | "computing" | "off" | "error";
  /** A sentence for people; for `error` it says what happened and what to do. */
  readonly message: string;
  /** That of the last suggestion, in ms. */
  readonly latencyMs?: number | null;
  readonly model?: string | null;
  readonly provider?: string | null;
}

export interface Why {
  /** A stable name such as "empty-file"; null when the last request gave something. */
  readonly reason: string | null;
  readonly detail?: string | null;
}

export interface FillLinesParams {
  readonly textDocument: { readonly uri: string; readonly version: number };
  /** 0-based, inclusive. */
  readonly startLine: number;
  readonly endLine: number;
}

export interface FilledLines extends Why {
  readonly version: number;
  readonly edits: readonly TextEdit[];
  readonly text: string;
}

export interface Cell {
  readonly text: string;
  readonly state: "masked" | "new" | "committed" | "remasked" | "end";
  readonly probability: number;
}

export interface Step {
  readonly canvas: number;
  readonly index: number;
  readonly ms: number;
  readonly cells: readonly Cell[];
}

export interface Trace {
  readonly id: string | null;
  readonly steps: readonly Step[];
}

export const statusNotification = new NotificationType<Status>("lacuna/status");
/** That a request at this place is likely. */
export const readAheadNotification = new NotificationType<TextDocumentPositionParams>("lacuna/readAhead");
export const shownNotification = new NotificationType<{ id: string }>("lacuna/shown");
export const partiallyAcceptedNotification = new NotificationType<{
  id: string;
  acceptedLength: number;
}>("lacuna/partiallyAccepted");

export const whyRequest = new RequestType<{ textDocument: { uri: string } }, Why, void>("lacuna/why");
export const fillLinesRequest = new RequestType<FillLinesParams, FilledLines, void>("lacuna/fillLines");
export const traceRequest = new RequestType<{ id?: string }, Trace, void>("lacuna/trace");

/** The command an item carries; VS Code runs it when the item has been accepted. */
export const ACCEPTED_COMMAND = "lacuna.accepted";
