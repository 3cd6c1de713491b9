//! Keys that the store holds to a prefix, as a catalog vends them.

use std::env;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpRequestBody, HttpService};
use secrecy::SecretString;
use serde_json::json;
use sqe_iceberg::storage::{KeySource, S3Endpoint, S3Keys, S3Scope};
use sqe_iceberg::{Error, ErrorKind, Result};

/// A setting of the test stack. Panics without the stack: a test that did not run has not passed.
pub(super) fn setting(name: &str) -> String {
    let name = format!("SQE_TEST_{name}");
    env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: start the test stack"))
}

pub(super) fn endpoint() -> S3Endpoint {
    S3Endpoint {
        url: Some(setting("S3_ENDPOINT")),
        region: Some(setting("S3_REGION")),
        path_style: true,
    }
}

pub(super) fn bucket() -> String {
    setting("S3_BUCKET")
}

/// What keys may do with objects below their prefix.
pub(super) const READ: &[&str] = &["s3:GetObject"];
pub(super) const WRITE: &[&str] = &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];

/// New keys for everything below `prefix`, a key of the bucket without a final slash.
pub(super) async fn keys(prefix: &str, actions: &[&str]) -> S3Keys {
    let bucket = bucket();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": actions,
             "Resource": [format!("arn:aws:s3:::{bucket}/{prefix}/*")]},
            {"Effect": "Allow", "Action": ["s3:ListBucket"],
             "Resource": [format!("arn:aws:s3:::{bucket}")],
             "Condition": {"StringLike": {"s3:prefix": [format!("{prefix}/*")]}}},
        ],
    });
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRole")
        .append_pair("Version", "2011-06-15")
        .append_pair("DurationSeconds", "900")
        .append_pair("Policy", &policy.to_string())
        .finish();
    let answer = ask(form).await;
    let field = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    S3Keys {
        access_key_id: field("AccessKeyId"),
        secret_access_key: field("SecretAccessKey").into(),
        session_token: Some(field("SessionToken").into()),
        expires_at: Some(SystemTime::now() + Duration::from_secs(900)),
    }
}

async fn ask(form: String) -> String {
    let root = AwsCredential {
        key_id: setting("S3_ROOT_KEY"),
        secret_key: setting("S3_ROOT_SECRET"),
        token: None,
    };
    let mut request = HttpRequest::new(HttpRequestBody::from(form));
    *request.method_mut() = reqwest::Method::POST;
    *request.uri_mut() = format!("{}/", setting("S3_ENDPOINT")).parse().unwrap();
    let form_type = "application/x-www-form-urlencoded".parse().unwrap();
    request.headers_mut().insert("content-type", form_type);
    AwsAuthorizer::new(&root, "sts", &setting("S3_REGION")).authorize(&mut request, None);
    let answer = HttpService::call(&reqwest::Client::new(), request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().bytes().await.unwrap();
    assert!(status.is_success(), "{status}");
    String::from_utf8(body.to_vec()).unwrap()
}

/// Keys that no store knows.
pub(super) fn unknown_keys() -> S3Keys {
    S3Keys {
        access_key_id: "AKUNKNOWN".to_owned(),
        secret_access_key: SecretString::from("unknown"),
        session_token: None,
        expires_at: None,
    }
}

pub(super) fn scope(prefix: &str, keys: S3Keys) -> S3Scope {
    S3Scope { prefix: format!("s3://{}/{prefix}", bucket()), endpoint: endpoint(), keys }
}

/// Makes new keys for a prefix of the bucket whenever it is asked.
#[derive(Debug)]
pub(super) struct Vending {
    pub(super) prefix: String,
    pub(super) renewals: AtomicUsize,
}

#[async_trait]
impl KeySource for Vending {
    async fn renew(&self) -> Result<Vec<S3Scope>> {
        self.renewals.fetch_add(1, Ordering::Relaxed);
        Ok(vec![scope(&self.prefix, keys(&self.prefix, WRITE).await)])
    }
}

/// Has no new keys.
#[derive(Debug)]
pub(super) struct Never;

#[async_trait]
impl KeySource for Never {
    async fn renew(&self) -> Result<Vec<S3Scope>> {
        Err(Error::new(ErrorKind::Unavailable, "these keys are not renewed"))
    }
}
