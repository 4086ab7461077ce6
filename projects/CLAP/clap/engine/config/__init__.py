"""From a configuration file and overrides to a checked configuration."""
