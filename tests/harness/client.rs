//! Requests and their answers.

use serde_json::Value;

/// Sends requests to one server.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    key: Option<String>,
}

/// Status, headers, body.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// As it came, not decompressed.
    pub body: Vec<u8>,
}

const MAX_BYTES: u64 = 256 << 20;

impl Client {
    pub(crate) fn new(url: &str, key: Option<&str>) -> Self {
        // Also refusals are answers. No gzip, so that bodies are as they were sent.
        let agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
        Client { agent, url: url.to_owned(), key: key.map(str::to_owned) }
    }

    /// `GET url`, where the URL begins with `/`.
    pub fn get(&self, url: &str) -> Answer {
        self.get_with(url, &[])
    }

    /// The same with headers.
    pub fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(format!("{}{url}", self.url));
        for (name, value) in headers.iter().copied() {
            request = request.header(name, value);
        }
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Apikey {key}"));
        }
        answer(request.call().unwrap())
    }

    /// `HEAD url`.
    pub fn head(&self, url: &str) -> Answer {
        let mut request = self.agent.head(format!("{}{url}", self.url));
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Apikey {key}"));
        }
        answer(request.call().unwrap())
    }

    /// `POST url` with a JSON body.
    pub fn post(&self, url: &str, body: &Value) -> Answer {
        self.send_json("POST", url, body)
    }

    /// Any request with a body.
    pub fn send(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, url, headers, body).unwrap()
    }

    /// The same to a server that may end meanwhile.
    ///
    /// # Errors
    /// How the connection was lost: what became of the request is not known then.
    pub fn try_send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{url}", self.url));
        for (name, value) in headers.iter().copied() {
            request = request.header(name, value);
        }
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Apikey {key}"));
        }
        try_answer(self.agent.run(request.body(body.to_vec())?)?)
    }

    /// The same with a JSON body.
    pub fn send_json(&self, method: &str, url: &str, body: &Value) -> Answer {
        self.send(method, url, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// `PUT url` with a body of that type.
    pub fn put(&self, url: &str, content_type: &str, body: &[u8]) -> Answer {
        self.send("PUT", url, &[("content-type", content_type)], body)
    }

    /// `DELETE url`.
    pub fn delete(&self, url: &str) -> Answer {
        self.send("DELETE", url, &[], b"")
    }
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Answer {
    try_answer(response).unwrap()
}

fn try_answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let headers = response.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let body = response.body_mut().with_config().limit(MAX_BYTES).read_to_vec()?;
    Ok(Answer { status: response.status().as_u16(), headers, body })
}

impl Answer {
    /// The first value of a header; empty without one.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON, after a look at the status.
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The `detail` of a refusal, which has Tiled's form.
    pub fn detail(&self) -> Value {
        assert!(self.status >= 400, "{} {}", self.status, String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_slice::<Value>(&self.body).unwrap()["detail"].clone()
    }
}
