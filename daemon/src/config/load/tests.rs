//! What is refused, and what lies over what.

use std::io::Write;

use super::*;

fn with_file(text: &str) -> Result<Config, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    load(&Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    })
}

fn with_environment(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    load(&Sources {
        file: Some(file.path().to_owned()),
        environment: pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        flags: vec![],
    })
}

fn problem(result: Result<Config, ConfigError>) -> String {
    result.expect_err("this configuration is wrong").to_string()
}

#[test]
fn row_76_an_unknown_key_is_named_with_its_line() {
    let text = problem(with_file(
        "[model]\nbase_url = \"https://x.example/v1\"\ntypo = 1\n",
    ));
    assert!(
        text.starts_with("config: line 3: unknown key \"typo\""),
        "{text}"
    );
}

#[test]
fn row_76_a_wrong_type_is_named_with_its_line() {
    let text = problem(with_file("\n[sandbox]\npids = \"many\"\n"));
    assert!(text.starts_with("config: line 3: "), "{text}");
}

#[test]
fn row_77_a_secret_in_an_open_file_is_refused() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "[model]\napi_key = \"k\"").unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = problem(load(&Sources {
        file: Some(file.path().to_owned()),
        ..Sources::default()
    }));
    assert!(text.contains("permissions 0644"), "{text}");
    assert!(text.contains("need 0600"), "{text}");
}

#[test]
fn row_78_an_address_beyond_loopback_is_refused() {
    let text = problem(with_environment(&[("KILN_LISTEN_TCP", "0.0.0.0:50051")]));
    assert!(text.contains("needs TLS"), "{text}");
}

#[test]
fn row_80_a_key_with_a_newline_is_refused_and_an_empty_one_is_none() {
    let text = problem(with_environment(&[("OPENROUTER_API_KEY", "sk-or\nx")]));
    assert!(text.contains("model.api_key"), "{text}");
    assert!(!text.contains("sk-or"), "{text}");
    let config = with_environment(&[("OPENROUTER_API_KEY", "")]).unwrap();
    assert!(config.model.api_key.is_none());
}

#[test]
fn row_81_numbers_out_of_range_say_the_range() {
    for bad in ["0", "-1", "1000000000"] {
        let text = problem(with_environment(&[("KILN_SANDBOX_PIDS", bad)]));
        assert!(text.contains("must be 32 to 32768"), "{text}");
    }
}

#[test]
fn everything_wrong_is_said_at_once() {
    let text = problem(with_file(
        "[auth]\nsign_up = \"maybe\"\n[log]\nformat = \"xml\"\n",
    ));
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn the_key_never_travels_in_the_clear() {
    let text = problem(with_environment(&[(
        "KILN_MODEL_BASE_URL",
        "http://models.example/v1",
    )]));
    assert!(text.contains("plain http"), "{text}");
    assert!(with_environment(&[("KILN_MODEL_BASE_URL", "http://127.0.0.1:8000/v1")]).is_ok());
}

#[test]
fn the_environment_lies_over_the_file_and_flags_over_both() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "[sandbox]\npids = 100\nlimit = 3").unwrap();
    let config = load(&Sources {
        file: Some(file.path().to_owned()),
        environment: vec![
            ("KILN_SANDBOX_PIDS".into(), "200".into()),
            ("KILN_DATA_DIR".into(), "/tmp/a".into()),
        ],
        flags: vec![("", "data_dir", "/tmp/b".into())],
    })
    .unwrap();
    assert_eq!((config.sandbox.pids, config.sandbox.limit), (200, 3));
    assert_eq!(config.data_dir, PathBuf::from("/tmp/b"));
}

#[test]
fn a_secret_can_come_from_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "postgres://x@localhost/kiln").unwrap();
    let config = with_environment(&[("DATABASE_URL_FILE", file.path().to_str().unwrap())]).unwrap();
    assert!(config.database.url.is_some());
}
