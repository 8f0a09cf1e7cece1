//! What is written into the log: every action there is, as it is spelled and what it means.
//!
//! A mutation is logged as what its name says (`createModelVersion` is `version.create`), also where it is refused.

macro_rules! actions {
    ($($name:ident = $text:literal, $meaning:literal;)*) => {
        /// What was done, as the log has it: what it was done to, and what.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $(#[doc = $meaning] $name,)*
        }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As the log spells it, such as `alias.set`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What it means, in a few words.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

actions! {
    ProjectCreate = "project.create", "a project was made";
    ProjectUpdate = "project.update", "its name, description or visibility changed";
    ProjectRename = "project.rename", "it has another path";
    ProjectDelete = "project.delete", "it was put into the trash";
    ProjectRestore = "project.restore", "it was taken out of the trash";
    ModelCreate = "model.create", "a model was made";
    ModelUpdate = "model.update", "its description changed";
    ModelRename = "model.rename", "it has another name";
    ModelDelete = "model.delete", "it was put into the trash";
    ModelRestore = "model.restore", "it was taken out of the trash";
    VersionCreate = "version.create", "a version was made, as a draft or with its files";
    VersionUpdate = "version.update", "its description changed";
    VersionPublish = "version.publish", "a draft was published";
    VersionStage = "version.stage", "it was moved to another of MLflow's stages";
    VersionDeprecate = "version.deprecate", "another version should be used instead";
    VersionYank = "version.yank", "it should not be used: latest, ranges and lists pass it over";
    VersionReactivate = "version.reactivate", "it is deprecated or yanked no more";
    VersionDelete = "version.delete", "it was put into the trash";
    VersionRestore = "version.restore", "it was taken out of the trash";
    CandidateCreate = "candidate.create", "a training run began";
    CandidateUpdate = "candidate.update", "its name or status changed";
    CandidateLog = "candidate.log", "params, metrics, tags or inputs were logged; a line a minute at most";
    CandidatePromote = "candidate.promote", "a version was made of it";
    CandidateDelete = "candidate.delete", "it was put into the trash";
    CandidateRestore = "candidate.restore", "it was taken out of the trash";
    ExperimentCreate = "experiment.create", "an experiment was made";
    ExperimentRename = "experiment.rename", "it has another name";
    ExperimentDelete = "experiment.delete", "it was put into the trash with its runs";
    ExperimentRestore = "experiment.restore", "it was taken out of the trash with them";
    LoggedModelCreate = "logged-model.create", "a run logged a model";
    LoggedModelFinalize = "logged-model.finalize", "it is ready, or failed";
    LoggedModelLog = "logged-model.log", "params, metrics or tags of it were logged; a line a minute at most";
    LoggedModelDelete = "logged-model.delete", "it was put into the trash";
    AliasSet = "alias.set", "an alias names another version";
    AliasDelete = "alias.delete", "an alias names none any more";
    AliasProtect = "alias.protect", "aliases of a pattern are moved by maintainers only";
    AliasUnprotect = "alias.unprotect", "aliases of a pattern are moved by developers again";
    TagSet = "tag.set", "a tag was set";
    TagDelete = "tag.delete", "a tag was removed";
    FilePut = "file.put", "a file was stored";
    FileDelete = "file.delete", "a file or folder was removed";
    EventRedact = "event.redact", "the value of a tag in the log was redacted";
    TrashEmpty = "trash.empty", "something in the trash was deleted for good";
    MemberAdd = "member.add", "somebody became a member";
    MemberUpdate = "member.update", "a member has another role";
    MemberRemove = "member.remove", "somebody is no member any more";
    TokenCreate = "token.create", "a token was made";
    TokenRevoke = "token.revoke", "a token ended";
    SessionCreate = "session.create", "somebody signed in";
    SessionEnd = "session.end", "somebody signed out";
    SessionRevoke = "session.revoke", "a session was ended from another";
    PasswordChange = "password.change", "somebody changed their password";
    UserCreate = "user.create", "a user was made at their first single sign-on";
    UserInvite = "user.invite", "somebody was invited";
    UserUpdate = "user.update", "a user's name or rights changed";
    UserBlock = "user.block", "a user may not sign in any more";
    UserUnblock = "user.unblock", "a user may sign in again";
    UserReset = "user.reset", "a user's password ended, and they have a new link";
    UserDelete = "user.delete", "a user was deleted";
    InvitationAccept = "invitation.accept", "who was invited chose a password";
}

impl Action {
    /// What a mutation is logged as; none for one that nothing is logged of.
    pub fn of_mutation(mutation: &str) -> Option<Self> {
        let split = mutation.find(|c: char| c.is_ascii_uppercase())?;
        let (verb, noun) = mutation.split_at(split);
        let text = match (verb, noun) {
            ("sign", "In") => "session.create".to_owned(),
            ("sign", "Out") => "session.end".to_owned(),
            (verb, "ModelVersion") => format!("version.{verb}"),
            (verb, "ProjectToken") => format!("token.{verb}"),
            (verb, "Viewer") => format!("user.{verb}"),
            (verb, noun) => format!("{}.{verb}", noun.to_ascii_lowercase()),
        };
        Self::ALL.iter().copied().find(|action| action.as_str() == text)
    }

    /// What kind of thing it is done to, such as `alias`.
    pub fn kind(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

impl From<Action> for crate::db::Value {
    fn from(action: Action) -> Self {
        action.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn mutations_are_logged_as_what_they_do() {
        for (mutation, action) in [
            ("createModelVersion", Action::VersionCreate),
            ("setAlias", Action::AliasSet),
            ("promoteCandidate", Action::CandidatePromote),
            ("createProjectToken", Action::TokenCreate),
            ("signOut", Action::SessionEnd),
            ("emptyTrash", Action::TrashEmpty),
        ] {
            assert_eq!(Action::of_mutation(mutation), Some(action));
        }
    }
}
