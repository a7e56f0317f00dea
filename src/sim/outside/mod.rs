//! Everything outside but the API server, as a scenario describes it: what containers answer and run, servers, programs, files. What is not
//! described is not modelled, and whoever asks for it is told what to add.

mod answers;
mod files;
mod http;
mod loopback;
pub(super) mod pods;
mod processes;
mod routes;
mod tcp;
mod unmodelled;

pub(super) use files::SimulatedFiles;
pub(super) use http::{SimulatedHttp, plain};
pub(super) use loopback::SimulatedLoopback;
pub(super) use processes::{SimulatedProcesses, may_be_modelled, rule_for};
pub(super) use tcp::SimulatedTcp;
pub(super) use unmodelled::Unmodelled;
