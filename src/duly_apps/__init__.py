"""Products built on Duly, each alone in its folder; none imports another."""
