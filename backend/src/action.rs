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
    ProjectCreate = "project.create", "a project was created";
    ProjectUpdate = "project.update", "the name, description, visibility or way of downloads of a project changed";
    ProjectRename = "project.rename", "a project was moved to another path";
    ProjectDelete = "project.delete", "a project was moved to the trash";
    ProjectRestore = "project.restore", "a project was restored from the trash";
    ModelCreate = "model.create", "a model was created";
    ModelUpdate = "model.update", "the model card changed";
    ModelRename = "model.rename", "a model was renamed";
    ModelDelete = "model.delete", "a model was moved to the trash";
    ModelRestore = "model.restore", "a model was restored from the trash";
    VersionCreate = "version.create", "a version was created, as a draft or with its files";
    VersionUpdate = "version.update", "the release notes of a version changed";
    VersionPublish = "version.publish", "a draft was published";
    VersionStage = "version.stage", "a version was moved to another of MLflow's stages";
    VersionDeprecate = "version.deprecate", "a version was deprecated";
    VersionYank = "version.yank", "a version was yanked: latest, ranges and lists skip it";
    VersionReactivate = "version.reactivate", "a version is no longer deprecated or yanked";
    VersionDelete = "version.delete", "a version was moved to the trash";
    VersionRestore = "version.restore", "a version was restored from the trash";
    CandidateCreate = "candidate.create", "a run was started";
    CandidateUpdate = "candidate.update", "the name or status of a run changed";
    CandidateLog = "candidate.log", "params, metrics, tags or inputs of a run were logged; at most one event a minute";
    CandidatePromote = "candidate.promote", "a version was created from a run";
    CandidateDelete = "candidate.delete", "a run was moved to the trash";
    CandidateRestore = "candidate.restore", "a run was restored from the trash";
    ExperimentCreate = "experiment.create", "an experiment was created";
    ExperimentRename = "experiment.rename", "an experiment was renamed";
    ExperimentDelete = "experiment.delete", "an experiment was moved to the trash with its runs";
    ExperimentRestore = "experiment.restore", "an experiment was restored with its runs";
    LoggedModelCreate = "logged-model.create", "a run logged a model";
    LoggedModelFinalize = "logged-model.finalize", "a logged model is ready, or failed";
    LoggedModelLog = "logged-model.log", "params, metrics or tags of a logged model were logged; at most one event a minute";
    LoggedModelDelete = "logged-model.delete", "a logged model was moved to the trash";
    AliasSet = "alias.set", "an alias was created or moved";
    AliasDelete = "alias.delete", "an alias was deleted";
    AliasProtect = "alias.protect", "an alias or a pattern of aliases was protected";
    AliasUnprotect = "alias.unprotect", "the protection of an alias or a pattern ended";
    TagSet = "tag.set", "a tag was set";
    TagDelete = "tag.delete", "a tag was removed";
    FilePut = "file.put", "a file was stored";
    FileDelete = "file.delete", "a file or folder was removed";
    EventRedact = "event.redact", "the value of a tag in the log was redacted";
    WebhookCreate = "webhook.create", "a webhook was created";
    WebhookUpdate = "webhook.update", "a webhook was changed";
    WebhookDelete = "webhook.delete", "a webhook was deleted";
    WebhookEnable = "webhook.enable", "a webhook was enabled";
    WebhookDisable = "webhook.disable", "a webhook was disabled, by somebody or because it failed for too long";
    WebhookRotate = "webhook.rotate", "a webhook got a new secret";
    WebhookTest = "webhook.test", "a test was sent to a webhook";
    WebhookRedeliver = "webhook.redeliver", "what a webhook was sent is sent again";
    TrashEmpty = "trash.empty", "an item in the trash was permanently deleted";
    MemberAdd = "member.add", "a member was added";
    MemberUpdate = "member.update", "the role of a member changed";
    MemberRemove = "member.remove", "a member was removed, or left";
    TokenCreate = "token.create", "a token was created";
    TokenRevoke = "token.revoke", "a token was revoked";
    SessionCreate = "session.create", "somebody signed in";
    SessionEnd = "session.end", "somebody signed out";
    SessionRevoke = "session.revoke", "somebody signed out another of their browsers";
    PasswordChange = "password.change", "somebody changed their password";
    UserCreate = "user.create", "a user signed in for the first time with single sign-on";
    UserInvite = "user.invite", "somebody was invited";
    UserUpdate = "user.update", "a user's name or rights changed";
    UserBlock = "user.block", "a user was blocked";
    UserUnblock = "user.unblock", "a user was unblocked";
    UserReset = "user.reset", "a user's password was reset by a new one-time link";
    UserDelete = "user.delete", "a user was deleted";
    StorageSet = "storage.set", "the rules that say which files belong in which storage were replaced";
    InvitationAccept = "invitation.accept", "an invited user chose a password";
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
            (verb, "ProjectToken" | "EmbedToken") => format!("token.{verb}"),
            (verb, "WebhookSecret") => format!("webhook.{verb}"),
            (verb, "StorageRules") => format!("storage.{verb}"),
            (verb, "Viewer") => format!("user.{verb}"),
            (verb, noun) => format!("{}.{verb}", noun.to_ascii_lowercase()),
        };
        Self::ALL.iter().copied().find(|action| action.as_str() == text)
    }

    /// As webhooks spell it.
    pub fn in_webhooks(self) -> String {
        in_webhooks(self.as_str())
    }

    /// What kind of thing it is done to, such as `alias`.
    pub fn kind(self) -> &'static str {
        self.as_str().split('.').next().unwrap_or_default()
    }
}

/// An action, or its kind, as webhooks spell it, whose words have no dash: `logged_model.create`.
pub fn in_webhooks(text: &str) -> String {
    text.replace('-', "_")
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
            ("setStorageRules", Action::StorageSet),
            ("rotateWebhookSecret", Action::WebhookRotate),
        ] {
            assert_eq!(Action::of_mutation(mutation), Some(action));
        }
    }
}
