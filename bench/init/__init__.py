"""The way in: what people already have, as files of a project."""
