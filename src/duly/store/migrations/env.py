"""Alembic's entry: runs the scripts on the connection of `store.migrate`, in one transaction if possible."""

from alembic import context

from duly.store.schema import metadata

connection = context.config.attributes["connection"]
driver = context.config.attributes["driver"]
# A statement that changes a table ends its transaction on MariaDB.
transactional = driver.dialect != "mariadb"
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=driver.dialect == "sqlite",
    transactional_ddl=transactional,
)
with context.begin_transaction():
    driver.lock_schema(connection.connection.cursor())
    context.run_migrations()
