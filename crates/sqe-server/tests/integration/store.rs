//! The store of the test stack: objects that a test needs, and keys that are held to a prefix.

use object_store::ObjectStoreExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequest, HttpRequestBody, HttpService};
use object_store::path::Path;
use serde_json::json;

/// A setting of the stack. Panics without it: a test that did not run has not passed.
pub(crate) fn setting(name: &str) -> String {
    let name = format!("SQE_TEST_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: start the test stack"))
}

/// A place in the store that no other test and no other run uses.
pub(crate) struct Scratch {
    store: AmazonS3,
    /// A key without a final slash.
    pub(crate) prefix: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let store = AmazonS3Builder::new()
            .with_endpoint(setting("S3_ENDPOINT"))
            .with_region(setting("S3_REGION"))
            .with_bucket_name(setting("S3_BUCKET"))
            .with_access_key_id(setting("S3_ROOT_KEY"))
            .with_secret_access_key(setting("S3_ROOT_SECRET"))
            .with_allow_http(true)
            .build();
        let unique = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        Self { store: store.unwrap(), prefix: format!("free-files/{unique}") }
    }

    /// The location of something below.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("s3://{}/{}/{name}", setting("S3_BUCKET"), self.prefix)
    }

    pub(crate) async fn put(&self, name: &str, content: impl Into<Vec<u8>>) {
        let path = Path::parse(format!("{}/{name}", self.prefix)).unwrap();
        self.store.put(&path, content.into().into()).await.unwrap();
    }

    /// What a console makes of "new folder": an empty object whose key ends with a slash.
    pub(crate) async fn put_folder(&self, name: &str) {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = reqwest::Method::PUT;
        let (endpoint, bucket) = (setting("S3_ENDPOINT"), setting("S3_BUCKET"));
        let address = format!("{endpoint}/{bucket}/{}/{name}/", self.prefix);
        *request.uri_mut() = address.parse().unwrap();
        send(request, "s3").await;
    }

    /// Whether something is there.
    pub(crate) async fn has(&self, name: &str) -> bool {
        let path = Path::parse(format!("{}/{name}", self.prefix)).unwrap();
        self.store.head(&path).await.is_ok()
    }

    /// Settings of `[storage]` with keys for reading and listing below `folder`, and for nothing
    /// else: a list must ask for a prefix with the slash.
    pub(crate) async fn keys_for(&self, folder: &str) -> String {
        let (bucket, prefix) = (setting("S3_BUCKET"), &self.prefix);
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:GetObject"],
                 "Resource": [format!("arn:aws:s3:::{bucket}/{prefix}/{folder}/*")]},
                {"Effect": "Allow", "Action": ["s3:ListBucket"],
                 "Resource": [format!("arn:aws:s3:::{bucket}")],
                 "Condition": {"StringLike": {"s3:prefix": [format!("{prefix}/{folder}/*")]}}},
            ],
        });
        let answer = sts(&policy.to_string()).await;
        let field = |name: &str| {
            let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap();
            rest.split('<').next().unwrap().to_owned()
        };
        format!(
            "s3_access_key = {:?}\ns3_secret_key = {:?}\ns3_session_token = {:?}\n",
            field("AccessKeyId"),
            field("SecretAccessKey"),
            field("SessionToken")
        )
    }
}

/// New keys under a session policy.
async fn sts(policy: &str) -> String {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRole")
        .append_pair("Version", "2011-06-15")
        .append_pair("DurationSeconds", "900")
        .append_pair("Policy", policy)
        .finish();
    let mut request = HttpRequest::new(HttpRequestBody::from(form));
    *request.method_mut() = reqwest::Method::POST;
    *request.uri_mut() = format!("{}/", setting("S3_ENDPOINT")).parse().unwrap();
    let form_type = "application/x-www-form-urlencoded".parse().unwrap();
    request.headers_mut().insert("content-type", form_type);
    send(request, "sts").await
}

/// Sends a request that the root key signs; returns the body of the answer.
async fn send(mut request: HttpRequest, service: &str) -> String {
    let root = AwsCredential {
        key_id: setting("S3_ROOT_KEY"),
        secret_key: setting("S3_ROOT_SECRET"),
        token: None,
    };
    AwsAuthorizer::new(&root, service, &setting("S3_REGION")).authorize(&mut request, None);
    let answer = HttpService::call(&reqwest::Client::new(), request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().bytes().await.unwrap();
    assert!(status.is_success(), "{status}");
    String::from_utf8(body.to_vec()).unwrap()
}
