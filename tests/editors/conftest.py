"""Its being here lets the tests of every editor import what they share: `debian`."""
