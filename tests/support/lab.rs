//! A network in namespaces with a SPAN port, and a sensor listening on it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_spansight");

/// A lab network. It is removed when dropped.
pub struct Lab {
    prefix: String,
    /// A folder for files of the test.
    pub dir: TempDir,
}

fn script(args: &[&str]) -> Output {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/lab"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("scripts/lab runs")
}

impl Lab {
    /// Makes one. `name` tells the networks of tests that run together apart.
    pub fn up(name: &str) -> Lab {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let prefix = format!("lt{}{name}", std::process::id() % 10_000);
        let lab = Lab { prefix, dir: tempfile::tempdir().expect("a folder for the test") };
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let made = script(&["up", &lab.prefix]);
        assert!(made.status.success(), "scripts/lab up: {}", String::from_utf8_lossy(&made.stderr));
        lab
    }

    /// Has the client do something: a scene of scripts/lab.
    pub fn traffic(&self, scene: &str) {
        let done = script(&["traffic", scene, &self.prefix]);
        assert!(done.status.success(), "scene {scene}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A command in a namespace: `client`, `internet` or `sensor`.
    pub fn command(&self, node: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}-{node}", self.prefix), program]).stdin(Stdio::null());
        command
    }

    /// Runs a command in a namespace; it must succeed.
    pub fn run(&self, node: &str, program: &str, args: &[&str]) -> String {
        let done = self.command(node, program).args(args).output().expect("ip netns exec runs");
        assert!(done.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    /// Looks a name up from the client.
    pub fn dig(&self, name: &str) {
        self.run("client", "dig", &["+time=2", "+tries=1", name]);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a sensor on the SPAN port and waits until it listens.
    pub fn watch(&self, args: &[&str]) -> Sensor {
        self.watch_to(args, "span0", None)
    }

    /// The same on another interface, or with its standard output elsewhere.
    pub fn watch_to(&self, args: &[&str], interface: &str, out: Option<Stdio>) -> Sensor {
        let (out_path, err_path) = (self.path("out"), self.path("err"));
        let file = |path: &Path| File::create(path).expect("a file in the test's folder");
        let child = self
            .command("sensor", PROGRAM)
            .args(["watch", "-i", interface, "--sensor", "lab", "--format", "ndjson"])
            .args(args)
            .stdout(out.unwrap_or_else(|| file(&out_path).into()))
            .stderr(file(&err_path))
            .spawn()
            .expect("the sensor starts");
        let sensor = Sensor { child, out: out_path, err: err_path };
        sensor.wait_for("listening on");
        sensor
    }

    /// Starts tcpdump on the SPAN port and waits until it listens.
    pub fn tcpdump(&self, file: &Path) -> Tcpdump {
        let err = self.path("tcpdump.err");
        let child = self
            .command("sensor", "tcpdump")
            .args(["-i", "span0", "-Z", "root", "-U", "-B", "65536", "--time-stamp-precision=nano", "-w"])
            .arg(file)
            .stderr(File::create(&err).expect("a file in the test's folder"))
            .spawn()
            .expect("tcpdump starts");
        let tcpdump = Tcpdump { child };
        wait_until("tcpdump listens", || read(&err).contains("listening on"));
        tcpdump
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let gone = script(&["down", &self.prefix]);
        if !gone.status.success() {
            eprintln!("scripts/lab down {}: {}", self.prefix, String::from_utf8_lossy(&gone.stderr));
        }
    }
}

/// A capture beside the sensor.
pub struct Tcpdump {
    child: Child,
}

impl Tcpdump {
    /// Ends it in order, so that its file is complete: the kernel hands it
    /// what came in blocks, each at the latest after a second.
    pub fn stop(mut self) {
        std::thread::sleep(Duration::from_millis(1200));
        signal(&self.child, "INT");
        self.child.wait().expect("tcpdump ends");
    }
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// A running sensor.
pub struct Sensor {
    pub child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Sensor {
    /// Standard output so far.
    pub fn out(&self) -> String {
        read(&self.out)
    }

    /// Standard error so far.
    pub fn err(&self) -> String {
        read(&self.err)
    }

    /// Waits until standard error holds a text.
    pub fn wait_for(&self, text: &str) {
        wait_until(text, || self.err().contains(text));
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it ends by itself; its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        wait(&mut self.child).code()
    }

    /// Asks it to end, and waits; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
    assert!(sent.success(), "kill -s {name} {id}");
}

/// Waits for a process, ten seconds at most.
pub fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the process can be waited for") {
            return status;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the process does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until something holds, ten seconds at most; how long it took.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "gave up waiting for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}
