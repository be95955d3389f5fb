"""Measurements of Lacuna, alone and against its peers. Every figure in the docs is from here."""
