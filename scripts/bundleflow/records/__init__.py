"""The nouns of the kit as data classes. Imports nothing else of the kit."""
