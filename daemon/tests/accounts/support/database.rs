//! A fresh, migrated database for each test, dropped with it.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// A database that exists as long as this does.
pub(crate) struct TestDatabase {
    pub(crate) pool: PgPool,
    server: PgConnectOptions,
    name: String,
}

impl TestDatabase {
    /// Makes a database on the server of `KILN_TEST_DATABASE_URL`.
    pub(crate) async fn new() -> Self {
        let url = std::env::var("KILN_TEST_DATABASE_URL").expect(
            "KILN_TEST_DATABASE_URL must name a Postgres server where databases may be created",
        );
        let server: PgConnectOptions = url.parse().expect("KILN_TEST_DATABASE_URL is a URL");
        let name = format!("kiln_test_{}", uuid::Uuid::new_v4().simple());
        let mut admin = PgConnection::connect_with(&server)
            .await
            .expect("the server of KILN_TEST_DATABASE_URL answers");
        sqlx::query(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut admin)
            .await
            .expect("databases may be created there");
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_with(server.clone().database(&name))
            .await
            .expect("the new database answers");
        sqlx::migrate!("../migrations")
            .run(&pool)
            .await
            .expect("the migrations run");
        Self { pool, server, name }
    }

    /// Runs a statement of a test's own, such as one that moves time.
    pub(crate) async fn execute(&self, sql: &'static str) -> u64 {
        sqlx::query(sql)
            .execute(&self.pool)
            .await
            .unwrap()
            .rows_affected()
    }

    /// A number from the database.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Every row of every table, as text.
    pub(crate) async fn dump(&self) -> String {
        let tables: Vec<String> = sqlx::query_scalar(
            "select tablename::text from pg_tables where schemaname = 'public' order by 1",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let mut dump = String::new();
        for table in tables {
            let sql = format!("select coalesce(string_agg(t::text, E'\\n'), '') from {table} t");
            let rows: String = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&self.pool)
                .await
                .unwrap();
            dump.push_str(&format!("{table}:\n{rows}\n"));
        }
        dump
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let sql = format!("drop database if exists {} with (force)", self.name);
        // A thread and a runtime of its own: this may run while a test panics.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect_with(&server)
                    .await
                    .map_err(std::io::Error::other)?;
                sqlx::query(AssertSqlSafe(sql))
                    .execute(&mut admin)
                    .await
                    .map_err(std::io::Error::other)
            })
        })
        .join();
        if !matches!(dropped, Ok(Ok(_))) {
            eprintln!("the database {} was left behind", self.name);
        }
    }
}
