"""The study: this paper's networks, experiments, claims and figures, made with the utils above it."""
