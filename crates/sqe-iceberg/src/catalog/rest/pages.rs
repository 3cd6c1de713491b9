//! Listings, which a server may give in pieces.

use std::collections::HashSet;

use reqwest::Method;
use serde::de::DeserializeOwned;
use url::Url;

use super::Connection;
use super::call::Call;
use crate::Result;

/// One piece of a listing.
pub(super) trait Page: DeserializeOwned + Send + 'static {
    type Item;

    /// Its names, and the token of the next page.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

/// All pages of a listing.
pub(super) async fn all<P: Page>(
    catalog: &Connection,
    url: &Url,
    subject: &str,
) -> Result<Vec<P::Item>> {
    let mut items = Vec::new();
    let mut url_of_page = url.clone();
    let mut seen = HashSet::new();
    loop {
        let call = Call::read(Method::GET, url_of_page, &subject);
        let answer = catalog.client.send(&call).await?;
        let (page, next) = answer.json::<P>().await?.split();
        items.extend(page);
        let Some(token) = next.filter(|token| !token.is_empty()) else {
            return Ok(items);
        };
        url_of_page = url.clone();
        url_of_page.query_pairs_mut().append_pair("pageToken", &token);
        if !seen.insert(token) {
            return Err(answer.bad("with a page for the second time").into());
        }
    }
}
