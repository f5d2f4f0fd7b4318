//! Chromium without a window, led over its DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>).

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one tab.
pub struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: String,
    number: u64,
    events: VecDeque<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with a profile of its own.
    pub fn new() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // It speaks on descriptors 3 and 4.
        let [asks, answers] = ["asks", "answers"].map(|name| profile.path().join(name));
        for pipe in [&asks, &answers] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<\"$ASKS\" 4>\"$ANSWERS\"", "sh"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--remote-debugging-pipe", "about:blank"])
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .env("ASKS", &asks)
            .env("ANSWERS", &answers)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(&asks).unwrap();
        let mut answers = BufReader::new(File::open(&answers).unwrap());
        let (tell, from) = channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            while answers.read_until(0, &mut bytes).is_ok_and(|n| n > 0) {
                bytes.pop();
                if tell.send(serde_json::from_slice(&bytes).unwrap()).is_err() {
                    return;
                }
                bytes.clear();
            }
        });
        let mut browser =
            Browser { child, to, from, session: String::new(), number: 0, events: VecDeque::new(), _profile: profile };
        let tab = browser.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attached = browser.ask("Target.attachToTarget", &json!({"targetId": tab["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    fn next(&mut self) -> Value {
        self.from.recv_timeout(PATIENCE).expect("chromium answers")
    }

    /// Asks, and returns the answer.
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.to.write_all(message.to_string().as_bytes()).and_then(|()| self.to.write_all(&[0])).unwrap();
        loop {
            let mut answer = self.next();
            if answer["id"] == self.number {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push_back(answer);
        }
    }

    /// Opens a page of this width and waits until it is there. Returns what it
    /// did meanwhile and since the last page: events as the protocol tells them.
    pub fn open(&mut self, url: &str, width: u32) -> Vec<Value> {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", &size);
        self.events.clear();
        self.ask("Page.navigate", &json!({"url": url}));
        while !self.events.iter().any(|e| e["method"] == "Page.loadEventFired") {
            let event = self.next();
            self.events.push_back(event);
        }
        // Give what comes late a chance.
        thread::sleep(Duration::from_millis(300));
        self.events()
    }

    /// What has happened since, of the same kind.
    pub fn events(&mut self) -> Vec<Value> {
        self.value("0");
        self.events.drain(..).collect()
    }

    /// Runs an expression on the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.ask("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Whether the reader prefers a dark page, prints it, or lets no script run.
    pub fn prefer(&mut self, dark: bool, print: bool, scripts: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let media = if print { "print" } else { "" };
        self.ask("Emulation.setEmulatedMedia", &json!({"media": media, "features": features}));
        self.ask("Emulation.setScriptExecutionDisabled", &json!({"value": !scripts}));
    }

    /// Writes a part of the page as PNG.
    pub fn screenshot(&mut self, path: &Path, width: u32, from: u32, to: u32) {
        let clip = json!({"x": 0, "y": from, "width": width, "height": to - from, "scale": 1});
        let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let answer = self.ask("Page.captureScreenshot", &asked);
        write_base64(path, answer["data"].as_str().unwrap());
    }

    /// Writes the page as PDF.
    pub fn print(&mut self, path: &Path) {
        let answer = self.ask("Page.printToPDF", &json!({"printBackground": false}));
        write_base64(path, answer["data"].as_str().unwrap());
    }
}

fn write_base64(path: &Path, data: &str) {
    use base64::Engine as _;
    std::fs::write(path, base64::engine::general_purpose::STANDARD.decode(data).unwrap()).unwrap();
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
