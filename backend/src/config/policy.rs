//! The flags that narrow what people may do here, beside their roles. Who is signed in or has a token keeps what they have.

use clap::{Args, ValueEnum};

/// Who may do something.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever could by their role
    Everybody,
    /// Administrators only
    Admins,
}

#[derive(Args, Clone, Debug)]
pub struct Policy {
    /// Who creates projects
    #[arg(
        long,
        env = "MODEL_REGISTRY_PROJECT_CREATORS",
        default_value = "everybody",
        value_name = "WHO"
    )]
    pub project_creators: Who,

    /// Who makes projects public; what is public stays so
    #[arg(
        long,
        env = "MODEL_REGISTRY_PUBLIC_PROJECTS",
        default_value = "everybody",
        value_name = "WHO"
    )]
    pub public_projects: Who,

    /// How long new tokens work at most, in days; those without an end get this one [default: no limit]
    #[arg(
        long,
        env = "MODEL_REGISTRY_MAX_TOKEN_DAYS",
        value_name = "DAYS",
        value_parser = clap::value_parser!(i32).range(1..=36_500)
    )]
    pub max_token_days: Option<i32>,

    /// How long people stay signed in at most, in days; 14 is the most [default: 14]
    #[arg(
        long,
        env = "MODEL_REGISTRY_MAX_SESSION_DAYS",
        value_name = "DAYS",
        value_parser = clap::value_parser!(i32).range(1..=14)
    )]
    pub max_session_days: Option<i32>,
}
