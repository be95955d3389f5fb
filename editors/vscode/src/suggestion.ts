/** One suggestion and the text around it, so that typing along it needs no new request. Offsets are UTF-16 units. */

export interface Suggestion {
  readonly id: string;
  /** The document up to the start of the suggestion's range. */
  readonly before: string;
  readonly text: string;
  /** The document from the cursor on, when the suggestion was made. */
  readonly after: string;
  /** How much of `after` the suggestion replaces, such as a closing bracket. */
  readonly replaced: number;
}

export interface OffsetRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Where the suggestion belongs now, if the only difference is that its beginning has been typed (or erased again);
 * undefined when the document differs anywhere else or nothing of the suggestion is left to type.
 */
export function typedAlong(
  suggestion: Suggestion,
  document: string,
  cursor: number,
): OffsetRange | undefined {
  const { before, text, after, replaced } = suggestion;
  const start = before.length;
  const typed = document.slice(start, cursor);
  const same =
    cursor >= start &&
    cursor - start < text.length &&
    document.length === cursor + after.length &&
    text.startsWith(typed) &&
    document.startsWith(before) &&
    document.endsWith(after);
  return same ? { start, end: cursor + replaced } : undefined;
}

/**
 * The length of the suggestion's accepted beginning, if `inserted` at `offset` looks like an accepted word or line.
 *
 * VS Code's stable API does not report partial acceptance. A key gives one character, so more than one character of
 * the suggestion at once was accepted (or pasted); white space alone is the editor's own indentation.
 */
export function partlyAccepted(
  suggestion: Suggestion,
  offset: number,
  inserted: string,
): number | undefined {
  const typed = offset - suggestion.before.length;
  const accepted = typed + inserted.length;
  const looksAccepted =
    typed >= 0 &&
    inserted.length > 1 &&
    inserted.trim() !== "" &&
    accepted < suggestion.text.length &&
    suggestion.text.startsWith(inserted, typed);
  return looksAccepted ? accepted : undefined;
}
