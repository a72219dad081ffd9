use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use memchr::memmem;
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};
use prost::Message as _;
use reqwest::blocking::{Client, RequestBuilder};

use crate::server::Instance;

const TRACE: [u8; 16] =
    [0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36];
const PARENT: [u8; 8] = [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7];
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Who collects traces, by OTLP over HTTP.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Vec<u8>>>>);

impl Collector {
    fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self::default();
        let collected = collector.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let collected = collected.clone();
                thread::spawn(move || collected.serve(stream.unwrap()));
            }
        });
        (collector, address)
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                head += &std::mem::take(&mut line).to_lowercase();
            }
            let Some((_, length)) = head.split_once("content-length: ") else { return };
            assert!(
                head.starts_with("post /v1/traces ") && head.contains("content-type: application/x-protobuf"),
                "{head}"
            );
            let mut body = vec![0; length.lines().next().unwrap().trim().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            self.0.lock().unwrap().push(body);
            (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.0.lock().unwrap();
        let requests = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|resource| {
            let service = resource.resource.unwrap();
            assert!(format!("{service:?}").contains("keys-of-acme"), "{service:?}");
            resource.scope_spans
        });
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn asked(request: RequestBuilder, token: &str) -> u16 {
    let request = request.header("traceparent", TRACEPARENT).header("x-marker", "in-a-header");
    request.header("x-api-key", token).send().unwrap().status().as_u16()
}

#[test]
fn a_request_is_a_span_of_the_trace_that_it_comes_from() {
    let (collector, endpoint) = Collector::start();
    let instance =
        Instance::new().with("CLAVIGER_OTLP_ENDPOINT", endpoint).with("CLAVIGER_OTLP_SERVICE_NAME", "keys-of-acme");
    let mut server = instance.serve(&["--dev"]);
    let (admin, example) = server.keys();
    let http = Client::builder().no_proxy().build().unwrap();
    let forward_auth = format!("{}/v1/forward-auth?permission=invoices:read", server.internal);
    for _ in 0..2 {
        assert_eq!(asked(http.get(&forward_auth), &example), 200);
    }
    assert_eq!(asked(http.get(format!("{}/v1/api-keys?q=in-a-query", server.public)), &admin), 200);
    assert_eq!(asked(http.get(format!("{}/v1/api-keys/{example}", server.public)), &admin), 404);
    assert_eq!(asked(http.get(format!("{}/health/ready", server.internal)), &admin), 200);
    server.stop();

    let spans = collector.spans();
    assert!(
        spans.iter().all(|span| span.trace_id == TRACE),
        "work beside the requests belongs to no trace: {spans:#?}"
    );
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let (verdicts, managed) = (named("GET forward_auth"), named("GET management"));
    assert_eq!((verdicts.len(), managed.len()), (2, 2), "{spans:#?}");
    assert!(verdicts.iter().chain(&managed).all(|span| span.parent_span_id == PARENT));
    let shown = format!("{:?}", verdicts[0].attributes);
    assert!(shown.contains("http.response.status_code") && shown.contains("IntValue(200)"), "{shown}");
    let queries = |of: &Span| spans.iter().filter(|span| span.parent_span_id == of.span_id).count();
    assert!(queries(verdicts[0]) >= 1, "a look-up that misses the cache asks the database");
    assert!(spans.iter().any(|span| span.name == "SELECT" && format!("{span:?}").contains("sqlite")));

    let random = |token: &str| token.rsplit('_').next().unwrap().to_owned();
    for secret in [random(&example), random(&admin), "in-a-header".to_owned(), "in-a-query".to_owned()] {
        let told = collector.0.lock().unwrap().iter().any(|body| memmem::find(body, secret.as_bytes()).is_some());
        assert!(!told, "{secret} stands in a span");
    }
    instance.assert_nowhere(&[&example, &admin]);
}

#[test]
fn without_a_collector_that_answers_everything_else_goes_on() {
    let instance = Instance::new().with("CLAVIGER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let mut server = instance.serve(&["--dev"]);
    let (_, example) = server.keys();
    let http = Client::builder().no_proxy().build().unwrap();
    assert_eq!(asked(http.get(format!("{}/v1/forward-auth", server.internal)), &example), 200);
    server.stop();
}
