//! The flags that narrow what people may do here, beside their roles. Who is signed in or has a token keeps what they have.

use clap::{Args, ValueEnum};

/// Who may do something.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody whose role allows it
    Everybody,
    /// Administrators only
    Admins,
}

#[derive(Args, Clone, Debug)]
pub struct Policy {
    /// Who can create projects
    #[arg(
        long,
        env = "MODEL_REGISTRY_PROJECT_CREATORS",
        default_value = "everybody",
        value_name = "WHO"
    )]
    pub project_creators: Who,

    /// Who can make projects public; existing public projects stay public
    #[arg(
        long,
        env = "MODEL_REGISTRY_PUBLIC_PROJECTS",
        default_value = "everybody",
        value_name = "WHO"
    )]
    pub public_projects: Who,

    /// The longest time that new tokens are valid, in days; also used for tokens without an expiry [default: no limit]
    #[arg(
        long,
        env = "MODEL_REGISTRY_MAX_TOKEN_DAYS",
        value_name = "DAYS",
        value_parser = clap::value_parser!(i32).range(1..=36_500)
    )]
    pub max_token_days: Option<i32>,

    /// The longest time that people stay signed in, in days; at most 14 [default: 14]
    #[arg(
        long,
        env = "MODEL_REGISTRY_MAX_SESSION_DAYS",
        value_name = "DAYS",
        value_parser = clap::value_parser!(i32).range(1..=14)
    )]
    pub max_session_days: Option<i32>,
}
