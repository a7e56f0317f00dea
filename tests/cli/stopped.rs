//! A run that is stopped before it has begun: a server that does not answer for its lock makes nobody deaf.

use crate::bench::{Bench, signal, wait};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PLAN: &str = "
plan: web
steps:
  - id: web
    scale: { deployment: web, replicas: 1 }
";

const VERSION: &str = r#"{"major":"1","minor":"34","gitVersion":"v1.34.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}"#;

/// An API server that tells its version, knows nothing else, and never answers whoever asks for a Lease. Where it is.
fn server(asked: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = asked.clone();
            std::thread::spawn(move || answer(stream, &asked));
        }
    });
    address
}

fn answer(mut stream: TcpStream, asked: &Path) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let (mut head, mut line, mut size) = (String::new(), String::new(), 0);
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            head.push_str(&line);
            let field = line.to_ascii_lowercase();
            size = field.strip_prefix("content-length:").and_then(|size| size.trim().parse().ok()).unwrap_or(size);
        }
        reader.read_exact(&mut vec![0; size]).ok()?;
        if head.contains("/leases/") {
            std::fs::write(asked, "").ok()?;
            reader.read_to_end(&mut Vec::new()).ok()?;
        }
        let (status, body) = match head.starts_with("GET /version") {
            true => ("200 OK", VERSION),
            false => {
                ("404 Not Found", r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"no","code":404}"#)
            }
        };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").ok()?;
    }
}

#[test]
fn who_stops_a_run_that_waits_for_its_lock_is_heard_and_nothing_was_done() {
    for name in ["INT", "TERM"] {
        let bench = Bench::with(PLAN);
        let address = server(bench.path("asked"));
        let config = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{ name: a, context: { cluster: a, user: a, namespace: shop } }]\n";
        bench.write(
            "config",
            &format!("{config}clusters: [{{ name: a, cluster: {{ server: 'http://{address}' }} }}]\nusers: [{{ name: a, user: {{}} }}]\n"),
        );
        let run = bench.start(&["run", "plan.yaml", "--run-id", "r1", "--kubeconfig", "config"]);
        bench.wait_for("asked");
        let began = Instant::now();
        signal(&run, name);
        wait(run).assert_code(130).assert_says("nothing was done");
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
        assert!(!bench.run(&["runs"]).all().contains("r1"));
    }
}
