//! A fresh database on the server that the tests are given, dropped at the end.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A database that exists as long as this does.
pub(crate) struct Database {
    pub(crate) url: String,
    server: String,
    name: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let server = std::env::var("KILN_TEST_DATABASE_URL").expect(
            "KILN_TEST_DATABASE_URL must name a Postgres server where databases may be created",
        );
        let name = format!("kiln_whole_{}", uuid::Uuid::new_v4().simple());
        let mut admin = PgConnection::connect(&server)
            .await
            .expect("the server of KILN_TEST_DATABASE_URL answers");
        sqlx::query(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut admin)
            .await
            .expect("databases may be created there");
        let (path, parameters) = match server.split_once('?') {
            Some((path, parameters)) => (path, format!("?{parameters}")),
            None => (server.as_str(), String::new()),
        };
        let (start, _) = path.rsplit_once('/').expect("the URL names a database");
        Self {
            url: format!("{start}/{name}{parameters}"),
            server,
            name,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        let sql = format!("drop database if exists {} with (force)", self.name);
        // A thread and a runtime of its own: this may run while a test panics.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect(&server)
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
