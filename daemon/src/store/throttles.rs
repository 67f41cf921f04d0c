//! Counts of tries. Every count is one statement that commits by itself, before
//! the work that it protects, so tries at the same moment cannot slip past and a
//! restart forgets nothing.

use std::time::Duration;

use sqlx::PgExecutor;

/// Counts a hit in a fixed window of at least one. `Some` says that there were
/// `limit` before, and how long the window still lasts; nothing is written then,
/// so that a flood costs no writes.
///
/// # Errors
/// The database does not answer.
pub async fn hit_window(
    db: impl PgExecutor<'_>,
    bucket: &str,
    key: &[u8],
    window: Duration,
    limit: i32,
) -> sqlx::Result<Option<Duration>> {
    let row = sqlx::query!(
        r#"with counted as (
            insert into throttles as t (bucket, key, window_start, hits)
            values ($1, $2, now(), 1)
            on conflict on constraint throttles_pkey do update set
                hits = case
                    when t.window_start + make_interval(secs => $3) <= now() then 1
                    else t.hits + 1
                end,
                window_start = case
                    when t.window_start + make_interval(secs => $3) <= now() then now()
                    else t.window_start
                end
            where t.hits < $4 or t.window_start + make_interval(secs => $3) <= now()
            returning 1
        )
        select
            exists (select from counted) as "counted!",
            (
                select extract(epoch from
                    window_start + make_interval(secs => $3) - now())::float8
                from throttles where bucket = $1 and key = $2
            ) as standing"#,
        bucket,
        key,
        window.as_secs_f64(),
        limit,
    )
    .fetch_one(db)
    .await?;
    Ok((!row.counted).then(|| left(row.standing, window)))
}

/// How tries of one account are slowed down.
#[derive(Clone, Copy, Debug)]
pub struct Streak {
    /// Tries that are free of delay.
    pub free: i32,
    /// After this long without a try, or after the last delay, all is forgotten.
    pub window: Duration,
    /// The delay after the last free one; it doubles with every further try.
    pub first_delay: Duration,
    /// The longest delay.
    pub longest_delay: Duration,
}

/// Counts a try of an account. `Some` says that it may not be made, and when the
/// next one may.
///
/// # Errors
/// The database does not answer.
pub async fn hit_streak(
    db: impl PgExecutor<'_>,
    bucket: &str,
    key: &[u8],
    streak: Streak,
) -> sqlx::Result<Option<Duration>> {
    // One statement: `counted` is empty where a delay still runs, because the
    // update then has no row to change; `standing` says how long it runs.
    let row = sqlx::query!(
        r#"with counted as (
            insert into throttles as t (bucket, key, window_start, hits, blocked_until)
            values (
                $1, $2, now(), 1,
                case when $4::int <= 1 then now() + make_interval(secs => $5) end
            )
            on conflict on constraint throttles_pkey do update set
                (hits, window_start, blocked_until) = (
                    select
                        next.hits,
                        case when next.hits = 1 then now() else t.window_start end,
                        case when next.hits >= $4 then now() + make_interval(
                            secs => least($6::float8, $5 * power(2, least(next.hits - $4, 20)))
                        ) end
                    from (
                        select case
                            when greatest(t.window_start, t.blocked_until)
                                + make_interval(secs => $3) <= now() then 1
                            else least(t.hits, 1000000) + 1
                        end as hits
                    ) as next
                )
            where t.blocked_until is null or t.blocked_until <= now()
            returning 1
        )
        select
            exists (select from counted) as "counted!",
            (
                select extract(epoch from blocked_until - now())::float8
                from throttles where bucket = $1 and key = $2
            ) as standing"#,
        bucket,
        key,
        streak.window.as_secs_f64(),
        streak.free,
        streak.first_delay.as_secs_f64(),
        streak.longest_delay.as_secs_f64(),
    )
    .fetch_one(db)
    .await?;
    Ok((!row.counted).then(|| left(row.standing, streak.first_delay)))
}

/// Forgets what was counted.
///
/// # Errors
/// The database does not answer.
pub async fn reset(db: impl PgExecutor<'_>, bucket: &str, key: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from throttles where bucket = $1 and key = $2",
        bucket,
        key
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Drops counters that no window needs any more: those of more than two days ago.
///
/// # Errors
/// The database does not answer.
pub async fn prune(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "delete from throttles
        where greatest(window_start, blocked_until) < now() - interval '2 days'"
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// How long somebody has to wait, in seconds as the statement saw it. It sees
/// nothing yet of a row that another try wrote at this very moment.
fn left(standing: Option<f64>, unseen: Duration) -> Duration {
    match standing {
        Some(seconds) if seconds > 0.0 => Duration::from_secs_f64(seconds.min(1e9)),
        Some(_) | None => unseen,
    }
}
