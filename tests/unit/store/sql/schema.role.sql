SELECT quote_ident(current_user) AS login, pg_has_role(current_user, oid, 'MEMBER') AS is_member
    FROM pg_roles WHERE rolname = :role
