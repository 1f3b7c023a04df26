"""Alembic's entry: runs the migrations on the connection that `fastier database` hands over, or prints their SQL."""

from alembic import context

from fastier.app import METADATA

connection = context.config.attributes.get("connection")
if connection is None:
    context.configure(dialect_name="postgresql", target_metadata=METADATA, as_sql=True, transaction_per_migration=True)
else:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        transaction_per_migration=True,
        compare_server_default=True,
    )
with context.begin_transaction():
    context.run_migrations()
