use super::*;

fn access(local: bool, prefixes: &[&str], with_keys: bool) -> FileAccess {
    let keys = || S3Keys {
        access_key_id: "id".to_owned(),
        secret_access_key: "secret".into(),
        session_token: None,
        expires_at: None,
    };
    FileAccess::new(FileAccessOptions {
        allow_local_paths: local,
        allowed_prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        s3: with_keys.then(|| (S3Endpoint::default(), keys())),
    })
    .unwrap()
}

/// `check(access, path, Ok("local" | "s3") | Err((kind, setting in the error)))`
fn check(access: &FileAccess, path: &str, expected: Result<&str, (ErrorKind, &str)>) {
    match (access.check_read(path), expected) {
        (Ok(Place::Local), Ok("local")) | (Ok(Place::S3(_)), Ok("s3")) => {}
        (Err(error), Err((kind, setting))) => {
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.to_string().contains(setting), "{error}");
        }
        (got, expected) => panic!("{path}: {got:?} instead of {expected:?}"),
    }
}

const DENIED: ErrorKind = ErrorKind::PermissionDenied;
const NO_PREFIX: Result<&str, (ErrorKind, &str)> = Err((DENIED, "allowed_prefixes"));

#[test]
fn local_files_need_the_setting() {
    for path in ["/etc/passwd", "x", "file:///etc/passwd", "file:/etc/passwd", "{s3:,x}//b/a"] {
        check(&access(true, &[], false), path, Ok("local"));
        check(&access(false, &["s3://b"], true), path, Err((DENIED, "allow_local_paths")));
    }
}

#[test]
fn files_in_s3_need_a_prefix_and_keys() {
    let both = access(false, &["s3://b/public/", "s3a://all"], true);
    for path in ["s3://b/public/a.csv", "s3a://b/public/*.csv", "s3://all/x", "s3://b/public"] {
        check(&both, path, Ok("s3"));
    }
    let keyless = access(true, &["s3://b/public"], false);
    check(&keyless, "s3://b/public/a.csv", Err((DENIED, "s3_access_key")));
    check(&keyless, "s3://b/other/a.csv", NO_PREFIX);
    check(&access(true, &[], true), "s3://b/public/a.csv", NO_PREFIX);
}

#[test]
fn a_prefix_ends_where_a_name_does() {
    let access = access(true, &["s3://b/public"], true);
    for path in [
        "s3://b/publicity/a.csv",
        "s3://b/public*/a.csv",
        "s3://b/{public,private}/a.csv",
        "s3://b/p*",
        "s3://b",
        "s3://bb/public/a.csv",
        "s3://*/public/a.csv",
        "s3://b//public/a.csv",
        "s3://b/PUBLIC/a.csv",
    ] {
        check(&access, path, NO_PREFIX);
    }
}

#[test]
fn nothing_climbs_out_of_a_prefix() {
    let access = access(true, &["s3://b/public"], true);
    for path in [
        "s3://b/public/../private/a.csv",
        "s3://b/public/{x,..}/private/a.csv",
        "s3://b/public/./a.csv",
        "s3://b/public/%2e%2e/private/a.csv",
        "s3://b/public/%2E./private/a.csv",
        "s3://b/public/x%2f..%2fprivate",
        "s3://b/public/%252e%252e/private/a.csv",
        "s3://b/public/..\\private",
        "s3://b/public/%ff",
        "s3://b/public/%00",
    ] {
        check(&access, path, NO_PREFIX);
    }
    check(&access, "s3://b/public/a..b/50%.csv", Ok("s3"));
}

#[test]
fn other_stores_cannot_be_read() {
    for path in ["https://example.org/a.csv", "gs://b/public/a.csv", "S3://b/public/a.csv"] {
        check(&access(true, &["s3://b"], true), path, Err((ErrorKind::Unsupported, "s3://")));
    }
}

#[test]
fn what_may_be_read_may_not_be_written() {
    let check = |local, target: &str, expected| {
        let result = access(local, &["s3://b/public"], true).check_copy(target);
        assert_eq!(result.map_err(|error| error.kind), expected, "{target}");
    };
    check(true, "/tmp/a.csv", Ok(()));
    check(false, "/tmp/a.csv", Err(DENIED));
    check(false, "file:///tmp/a.csv", Err(DENIED));
    check(true, "s3://b/public/a.csv", Err(DENIED));
}

#[test]
fn the_catalog_decides_on_locations_elsewhere() {
    let check = |local, location: &str, expected| {
        let result = access(local, &[], false).check_location(location);
        assert_eq!(result.map_err(|error| error.kind), expected, "{location}");
    };
    check(false, "s3://b/t", Ok(()));
    check(false, "/tmp/t", Err(DENIED));
    check(false, "file:/tmp/t", Err(DENIED));
    check(true, "file:///tmp/t", Ok(()));
}

#[test]
fn properties_choose_no_other_place_than_a_location_may() {
    let check = |key: &str, place: &str, expected| {
        let properties = HashMap::from([(key.to_owned(), place.to_owned())]);
        let result = access(false, &[], false).check_properties(&properties);
        assert_eq!(result.map_err(|error| error.kind), expected, "{key} {place}");
    };
    for key in PLACES {
        check(key, "s3://b/t/data", Ok(()));
        check(key, "/tmp/t", Err(DENIED));
        check(key, "file:/tmp/t", Err(DENIED));
    }
    check("comment", "/tmp/t", Ok(()));
}
