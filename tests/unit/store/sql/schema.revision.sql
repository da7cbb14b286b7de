SELECT version_num FROM notify.alembic_version
