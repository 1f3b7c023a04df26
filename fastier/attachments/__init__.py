"""Attachments: files of items, sent by clients to the storage directly."""
