//! The load generator: `wrk` with a script of ours, on a core of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Result,
    process::{GENERATOR, Process},
    tokens::Tokens,
};

/// What stands for a token in a request.
const TOKEN: &str = "{token}";

/// How OAuth writes a request.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Requests that differ only in their token.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    pub(crate) port: u16,
    text: String,
    tokens: Tokens,
    /// Where the access tokens of the answers go, one on a line.
    kept: Option<PathBuf>,
}

/// How much at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) seconds: u64,
    /// How long each connection rests before each request, in milliseconds from 1 to twice this. `wrk` has no rates,
    /// but with a pause that is long beside an answer, the rate is the same whoever answers.
    pub(crate) pause: Option<u32>,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) requests: usize,
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Requests {
    /// `head` is the request line and the headers, `body` what follows them, as JSON; both may hold `{token}`.
    pub(crate) fn new(port: u16, head: &[&str], body: &str, tokens: Tokens) -> Self {
        Self::of_type("application/json", port, head, body, tokens)
    }

    /// The same, whose body is a form.
    pub(crate) fn form(port: u16, head: &[&str], body: &str, tokens: Tokens) -> Self {
        Self::of_type(FORM, port, head, body, tokens)
    }

    fn of_type(content_type: &str, port: u16, head: &[&str], body: &str, tokens: Tokens) -> Self {
        let length =
            body.len() + body.matches(TOKEN).count() * tokens.length - body.matches(TOKEN).count() * TOKEN.len();
        let mut text = format!("{}\r\nHost: 127.0.0.1\r\n", head.join("\r\n"));
        if !body.is_empty() {
            text += &format!("Content-Type: {content_type}\r\nContent-Length: {length}\r\n");
        }
        Self { port, text: text + "\r\n" + body, tokens, kept: None }
    }

    /// The same, and the access tokens of the answers are added to a file.
    pub(crate) fn keeping(self, file: PathBuf) -> Self {
        Self { kept: Some(file), ..self }
    }

    /// The same to another server.
    pub(crate) fn to(&self, port: u16) -> Self {
        Self { port, ..self.clone() }
    }

    fn script(&self, load: &Load) -> String {
        let (before, after) = self.text.split_once(TOKEN).unwrap_or((&self.text, ""));
        let pause = load.pause.map(|pause| format!("function delay() return math.random(1, {}) end\n", 2 * pause));
        // Without an access token the line is empty, and whoever reads the file refuses it.
        let kept = self.kept.as_ref().map(|file| {
            format!(
                "local kept = io.open({file:?}, 'a')
                 function response(status, headers, body)
                    kept:write(body:match('\"access_token\":\"([^\"]+)\"') or '', '\\n')
                 end
                "
            )
        });
        format!(
            "local before, after, tokens, number = {before:?}, {after:?}, {{}}, 0
             function init(arguments)
                for token in io.lines({tokens:?}) do tokens[#tokens + 1] = token end
                number = tonumber(arguments[1])
             end
             function request()
                number = number % #tokens + 1
                return before .. ({has_token} and tokens[number] or '') .. after
             end
             function done(summary, latency)
                local e = summary.errors
                print('outcome', summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
                    latency:percentile(50), latency:percentile(99))
             end
             {pause}{kept}",
            tokens = self.tokens.file,
            has_token = self.text.contains(TOKEN),
            pause = pause.unwrap_or_default(),
            kept = kept.unwrap_or_default(),
        )
    }

    /// Sends them, beginning with the token of this number, and counts the answers. Any error is one.
    pub(crate) fn send(&self, load: &Load, first: usize, scratch: &Path) -> Result<Outcome> {
        Running::start(self, load, first, scratch)?.outcome()
    }
}

/// A load that goes on.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    output: PathBuf,
}

impl Running {
    pub(crate) fn start(requests: &Requests, load: &Load, first: usize, scratch: &Path) -> Result<Self> {
        let script = tempfile::Builder::new().prefix("load-").suffix(".lua").tempfile_in(scratch)?;
        let (_, script) = script.keep()?;
        fs::write(&script, requests.script(load))?;
        let output = script.with_extension("out");
        let mut command = GENERATOR.command("wrk");
        command.args(["--threads=1", &format!("--connections={}", load.connections)]);
        command.arg(format!("--duration={}s", load.seconds)).arg("--timeout=10s").arg("--script").arg(&script);
        command.arg(format!("http://127.0.0.1:{}", requests.port)).args(["--", &first.to_string()]);
        let file = fs::File::create(&output)?;
        Ok(Self { process: Process::spawn(command.stdout(file.try_clone()?).stderr(file))?, output })
    }

    /// Waits for its end.
    pub(crate) fn outcome(mut self) -> Result<Outcome> {
        self.process.ended()?;
        let said = fs::read_to_string(&self.output)?;
        read(&said).ok_or_else(|| format!("wrk:\n{said}").into())
    }
}

/// `None` if there was any error.
fn read(said: &str) -> Option<Outcome> {
    let line = said.lines().find_map(|line| line.strip_prefix("outcome"))?;
    let numbers: Vec<f64> = line.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
    let [requests, microseconds, errors, p50, p99] = numbers[..] else { return None };
    let latency = |microseconds: f64| Duration::from_secs_f64(microseconds / 1e6);
    let outcome = Outcome {
        requests: requests as usize,
        rate: requests / microseconds * 1e6,
        p50: latency(p50),
        p99: latency(p99),
    };
    (errors == 0.0 && requests > 0.0).then_some(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_outcome_without_errors_counts() {
        let outcome = read("Running 1s test\noutcome\t2000\t1000000\t0\t50\t99.5\n").unwrap();
        assert_eq!((outcome.requests, outcome.rate, outcome.p50.as_micros()), (2000, 2000.0, 50));
        assert!(read("outcome\t2000\t1000000\t1\t50\t99").is_none());
        assert!(read("unable to connect").is_none());
    }

    #[test]
    fn the_length_of_a_body_counts_the_token_and_not_what_stands_for_it() {
        let tokens = Tokens { file: PathBuf::new(), length: 46 };
        let requests = Requests::new(1, &["POST / HTTP/1.1"], "[{token}]", tokens.clone());
        assert!(requests.text.contains("Content-Length: 48\r\n"), "{}", requests.text);
        let requests = Requests::form(1, &["POST / HTTP/1.1"], "token={token}", Tokens { length: 700, ..tokens });
        assert!(requests.text.contains("urlencoded\r\nContent-Length: 706\r\n"), "{}", requests.text);
    }
}
