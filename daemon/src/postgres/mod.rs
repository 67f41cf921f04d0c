//! The private Postgres cluster of a daemon that was given no database.
