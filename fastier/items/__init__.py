"""Items: what people organise."""
