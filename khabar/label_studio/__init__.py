"""Label Studio: configuration and tasks out, exports in. Its oddities live here and nowhere else."""
