"""What the platform costs, measured side by side with a named peer in the same run."""
