"""What all figures share: the look, panels, and sweeps over layers."""
