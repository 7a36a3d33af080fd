//! Keeps the processes of a local grid: starts them, answers the control socket, ends them.
//!
//! A node that ends by itself or is stopped stays down until `acre node start`: a grid must bear
//! its losses, and whoever tries that here must see it bear them.

use std::path::Path;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::ChildStdin;
use tokio::sync::{mpsc, oneshot};

use super::control::{self, Answer, GridStatus, Kind, ProcessStatus, Request};
use super::plan::Place;
use super::process::{self, Running, Spec};
use crate::exit::Outcome;

/// Requests waiting for the supervisor; more of them wait in their sockets.
const REQUESTS: usize = 16;
/// A request is one short line.
const REQUEST_BYTES_MAX: u64 = 4096;

enum State {
    Running { pid: u32, lifeline: ChildStdin, kill: oneshot::Sender<Ending> },
    Stopped,
    Failed,
}

/// How a running child is to end.
enum Ending {
    /// As by a power cut.
    Kill,
    /// In order; the sender hears when it is gone.
    Stop,
}

struct Member {
    kind: Kind,
    spec: Spec,
    place: Option<Place>,
    id: String,
    address: String,
    state: State,
}

/// The members of a grid and the channel on which their ends are told.
pub(crate) struct Supervisor {
    members: Vec<Member>,
    ends: (mpsc::UnboundedSender<usize>, mpsc::UnboundedReceiver<usize>),
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        Self { members: Vec::new(), ends: mpsc::unbounded_channel() }
    }

    /// Takes over a process that is ready.
    pub(crate) fn adopt(&mut self, kind: Kind, spec: Spec, place: Option<Place>, run: Running) {
        let (id, address) = (run.ready.id.clone(), run.ready.address.clone());
        let index = self.members.len();
        let state = self.watch(index, run);
        self.members.push(Member { kind, spec, place, id, address, state });
    }

    /// One task a child: it owns the child, tells when it ends, ends it when asked.
    fn watch(&self, index: usize, run: Running) -> State {
        let Running { pid, mut child, lifeline, .. } = run;
        let (kill, asked) = oneshot::channel();
        let ended = self.ends.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = child.wait() => {}
                ending = asked => match ending {
                    Ok(Ending::Kill) => {
                        if let Err(error) = child.kill().await {
                            tracing::warn!(%error, pid, "a process could not be killed");
                        }
                    }
                    Ok(Ending::Stop) | Err(_) => process::end(&mut child, None).await,
                },
            }
            let _ = ended.send(index);
        });
        State::Running { pid, lifeline, kill }
    }

    /// Answers the control socket until `down`, a signal, or until `left` completes.
    pub(crate) async fn serve(
        &mut self,
        mut requests: Requests,
        left: impl Future<Output = ()>,
    ) -> Outcome {
        let mut left = std::pin::pin!(left);
        let mut terminated =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        loop {
            tokio::select! {
                Some(Asked { request, reply, told }) = requests.0.recv() => {
                    let is_down = request == Request::Down;
                    if is_down {
                        self.end_all().await;
                    }
                    let answer = self.answer(request).await;
                    let _ = reply.send(answer);
                    if is_down {
                        // Whoever asked has the answer, or has gone away.
                        let _ = told.await;
                        return Ok(());
                    }
                }
                Some(index) = self.ends.1.recv() => self.note_end(index),
                () = &mut left => break,
                _ = tokio::signal::ctrl_c() => break,
                _ = terminated.recv() => break,
            }
        }
        self.end_all().await;
        Ok(())
    }

    fn note_end(&mut self, index: usize) {
        let Some(member) = self.members.get_mut(index) else { return };
        if matches!(member.state, State::Running { .. }) {
            member.state = State::Failed;
            tracing::error!(process = %member.spec.name, "ended by itself");
        }
    }

    async fn answer(&mut self, request: Request) -> Answer {
        match request {
            Request::Status => Answer::Status(self.status()),
            Request::Down => Answer::Done,
            Request::Stop { kind, id } => match self.find(kind, &id) {
                Ok(index) => self.stop(index).await,
                Err(why) => Answer::NotFound(why),
            },
            Request::Start { kind, id } => match self.find(kind, &id) {
                Ok(index) => self.start(index).await,
                Err(why) => Answer::NotFound(why),
            },
        }
    }

    fn find(&self, kind: Kind, id: &str) -> Result<usize, String> {
        let is_match =
            |member: &Member| member.kind == kind && !id.is_empty() && member.id.starts_with(id);
        let what = kind.name();
        let found: Vec<usize> = (self.members.iter().enumerate())
            .filter(|(_, member)| is_match(member))
            .map(|(index, _)| index)
            .collect();
        match found.as_slice() {
            [] => Err(format!("no {what} of this grid has an id that begins with '{id}'")),
            [index] => Ok(*index),
            many => {
                Err(format!("'{id}' begins the ids of {} {what}s; write more of it", many.len()))
            }
        }
    }

    async fn stop(&mut self, index: usize) -> Answer {
        let Some(member) = self.members.get_mut(index) else {
            return Answer::Failed("the process is gone".to_owned());
        };
        if let State::Running { kill, lifeline, .. } =
            std::mem::replace(&mut member.state, State::Stopped)
        {
            let _ = kill.send(Ending::Kill);
            self.wait_for(index).await;
            drop(lifeline);
        }
        Answer::Done
    }

    /// Drains ends until that of `index`.
    async fn wait_for(&mut self, index: usize) {
        while let Some(ended) = self.ends.1.recv().await {
            if ended == index {
                return;
            }
            self.note_end(ended);
        }
    }

    async fn start(&mut self, index: usize) -> Answer {
        let Some(member) = self.members.get(index) else {
            return Answer::Failed("the process is gone".to_owned());
        };
        if matches!(member.state, State::Running { .. }) {
            return Answer::Done;
        }
        match process::start(&member.spec).await {
            Ok(run) => {
                let address = run.ready.address.clone();
                let state = self.watch(index, run);
                if let Some(member) = self.members.get_mut(index) {
                    (member.state, member.address) = (state, address);
                }
                Answer::Done
            }
            Err(error) => Answer::Failed(format!("{error:#}")),
        }
    }

    pub(crate) fn status(&self) -> GridStatus {
        let of = |kind: Kind| {
            self.members.iter().filter(move |member| member.kind == kind).map(Member::status)
        };
        let gateway = self.members.iter().find(|member| {
            member.kind == Kind::Gateway && matches!(member.state, State::Running { .. })
        });
        let running = of(Kind::Validator).filter(|process| process.state == "running").count();
        let validators = of(Kind::Validator).count();
        GridStatus {
            ready: running >= control::quorum(validators),
            supervisor_pid: std::process::id(),
            dashboard: gateway.map(|gateway| gateway.address.clone()),
            validators: of(Kind::Validator).collect(),
            nodes: of(Kind::Node).collect(),
        }
    }

    /// Ends everything in order: gateway and nodes first, the validator last.
    pub(crate) async fn end_all(&mut self) {
        for kind in [Kind::Gateway, Kind::Node, Kind::Validator] {
            let mut waiting = 0_usize;
            for member in self.members.iter_mut().filter(|member| member.kind == kind) {
                if let State::Running { kill, lifeline, .. } =
                    std::mem::replace(&mut member.state, State::Stopped)
                {
                    drop(lifeline);
                    waiting += usize::from(kill.send(Ending::Stop).is_ok());
                }
            }
            while waiting > 0 && self.ends.1.recv().await.is_some() {
                waiting -= 1;
            }
        }
    }
}

impl Member {
    fn status(&self) -> ProcessStatus {
        let (pid, state) = match &self.state {
            State::Running { pid, .. } => (Some(*pid), "running"),
            State::Stopped => (None, "stopped"),
            State::Failed => (None, "failed"),
        };
        let place = self.place.as_ref();
        ProcessStatus {
            id: self.id.clone(),
            pid,
            farm: place.map(|place| place.farm.clone()),
            site: place.map(|place| place.site.clone()),
            country: place.map(|place| place.country.to_string()),
            state: state.to_owned(),
        }
    }
}

/// A request on its way through the supervisor.
struct Asked {
    request: Request,
    reply: oneshot::Sender<Answer>,
    /// Fires when the answer was written.
    told: oneshot::Receiver<()>,
}

/// What comes in through the control socket.
pub(crate) struct Requests(mpsc::Receiver<Asked>);

/// Opens the control socket; whoever connects from now on waits for [`Supervisor::serve`].
pub(crate) fn listen(grid: &Path) -> Outcome<Requests> {
    let (folder, path) = control::socket(grid)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("an old control socket could not be removed");
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).context("the control socket could not be made")?;
    let (send, receive) = mpsc::channel(REQUESTS);
    tokio::spawn(async move {
        let _folder = folder;
        while let Ok((stream, _)) = listener.accept().await {
            let send = send.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(stream, send).await {
                    tracing::debug!(%error, "a control connection failed");
                }
            });
        }
    });
    Ok(Requests(receive))
}

async fn converse(stream: UnixStream, send: mpsc::Sender<Asked>) -> Outcome {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let limited = tokio::io::AsyncReadExt::take(reader, REQUEST_BYTES_MAX);
    BufReader::new(limited).read_line(&mut line).await?;
    let (reply, answer) = oneshot::channel();
    // Dropped at the end of this function, after the answer was written.
    let (_telling, told) = oneshot::channel();
    let answer = match serde_json::from_str(&line) {
        Ok(request) => {
            let asked = Asked { request, reply, told };
            send.send(asked).await.ok().context("the supervisor has ended")?;
            answer.await.context("the supervisor has ended")?
        }
        Err(error) => Answer::Failed(format!("not a request: {error}")),
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    writer.write_all(&bytes).await?;
    Ok(writer.shutdown().await?)
}
