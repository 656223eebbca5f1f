"""The regulator's pages: an export, shown to people; read-only, on the inspector's own machine."""
