//! The HTTP client below the libraries of S3 and Azure: one HTTP and TLS stack, and one set of rules for certificates.

use std::sync::Arc;
use std::time::Instant;

use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use azure_core::error::{Error as AzureError, ErrorKind as AzureKind};
use azure_core::http::headers::Headers;
use azure_core::http::request::Body;
use azure_core::http::{AsyncRawResponse, Request};
use reqwest::redirect::Policy;
use rustls::ClientConfig;

use super::host_policy::HostPolicy;

/// The maximum size of a response body, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// Sends requests unchanged: without redirects, without a proxy, and without decompression.
#[derive(Debug, Clone)]
pub(super) struct Web {
    client: reqwest::Client,
    /// True when requests are logged, without headers and bodies.
    is_traced: bool,
    /// The timeout of a request, if the library sets one.
    limit: Option<std::time::Duration>,
}

impl Web {
    /// Creates a client with these certificate rules that connects only to addresses that `reach` allows.
    pub(super) fn new(rules: &Arc<ClientConfig>, policy: HostPolicy, is_traced: bool) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder().tls_backend_preconfigured(ClientConfig::clone(rules));
        let builder = builder.dns_resolver(policy);
        let client = builder.redirect(Policy::none()).no_proxy().http1_only().build()?;
        Ok(Self { client, is_traced, limit: None })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, reqwest::Error> {
        let request = match self.limit {
            Some(limit) => request.timeout(limit),
            None => request,
        };
        let request = request.build()?;
        let line = self.is_traced.then(|| (request.method().clone(), request.url().path().to_owned(), Instant::now()));
        let answer = self.client.execute(request).await;
        if let Some((method, path, began)) = line {
            let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::debug!(%method, path, status, duration_ms, "request to the file store");
        }
        answer
    }

    async fn send_to_s3(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (head, body) = request.into_parts();
        let Some(body) = body.bytes().map(bytes::Bytes::copy_from_slice) else {
            return Err(ConnectorError::user("a request whose body is not in memory".into()));
        };
        let request = self.client.request(head.method, head.uri.to_string()).headers(head.headers).body(body);
        let mut answer = self.send(request).await.map_err(not_answered)?;
        let status =
            answer.status().as_u16().try_into().map_err(|error| ConnectorError::other(Box::new(error), None))?;
        let headers = std::mem::take(answer.headers_mut());
        let body = content(answer).await.map_err(|error| ConnectorError::io(error.into()))?;
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in &headers {
            if let Ok(value) = value.to_str() {
                response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

/// Returns the body of a response; fails if it is too large.
async fn content(mut answer: reqwest::Response) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(std::io::Error::other)? {
        content.extend_from_slice(&chunk);
        if content.len() > MAX_RESPONSE_BYTES {
            return Err(std::io::Error::other("the response is too large"));
        }
    }
    Ok(content)
}

fn not_answered(error: reqwest::Error) -> ConnectorError {
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

impl HttpConnector for Web {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send_to_s3(request))
    }
}

impl HttpClient for Web {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { limit: settings.read_timeout(), ..self.clone() })
    }
}

#[async_trait::async_trait]
impl azure_core::http::HttpClient for Web {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let method = reqwest::Method::from_bytes(request.method().as_ref().as_bytes());
        let method = method.map_err(|error| AzureError::new(AzureKind::Other, error))?;
        let mut built = self.client.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            built = built.header(name.as_str(), value.as_str());
        }
        let Body::Bytes(body) = request.body().clone() else {
            return Err(AzureError::with_message(AzureKind::Other, "a request whose body is not in memory"));
        };
        let answer = self.send(built.body(body)).await.map_err(|error| AzureError::new(AzureKind::Io, error))?;
        let mut headers = Headers::new();
        for (name, value) in answer.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let status = answer.status().as_u16().into();
        let body = content(answer).await.map_err(|error| AzureError::new(AzureKind::Io, error))?;
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}
