"""Models on the kit's side: what is to be promoted, who approves it, and what is filed on GitHub; the engine is `bundleflow_models`."""
