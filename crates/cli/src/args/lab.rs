//! Flags of `lab`: what was typed, as in the rest of `args`.

#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "elsewhere there is no laboratory"))]

use clap::Subcommand;

/// Which situations, and what is wanted of them.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_help_heading = "Instead")]
pub(crate) struct Lab {
    /// The situations to build and to try [default: all]
    #[arg(value_name = "SITUATION")]
    pub(crate) situations: Vec<String>,
    /// Say which there are, and try none
    #[arg(long)]
    pub(crate) list: bool,
    /// One JSON object for each situation
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) action: Option<LabAction>,
}

/// What else can be done with a situation.
#[derive(Debug, Subcommand)]
pub(crate) enum LabAction {
    /// Enter a situation: a shell on its client
    Shell {
        /// The situation
        #[arg(value_name = "SITUATION")]
        situation: String,
    },
}
