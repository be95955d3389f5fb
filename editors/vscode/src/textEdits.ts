/** The text that edits make of a text; offsets are UTF-16 units. */

export interface OffsetEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Edits count in the original text and do not overlap, as LSP has it; their order does not matter. */
export function edited(text: string, edits: readonly OffsetEdit[]): string {
  // From the last edit to the first, so that the offsets of those before stay true.
  return [...edits]
    .sort((a, b) => b.start - a.start)
    .reduce((result, { start, end, text: inserted }) => result.slice(0, start) + inserted + result.slice(end), text);
}
