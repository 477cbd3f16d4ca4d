"""Alembic's entry: runs the scripts on the connection that `store.migrate` passes, in one transaction."""

from alembic import context

from duly.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True
)
with context.begin_transaction():
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    context.run_migrations()
