"""The editor's side of Lacuna: documents, positions, syntax, spans, edits. It knows no tensor."""
