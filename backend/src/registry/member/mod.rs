//! Members: who has which role in a project; and what that lets them read.
//!
//! Never leaves a project without an owner, and never lets anybody give or take more than they have.

mod sql;

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};

use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, Maintainer, Reader, actor};
use crate::change::Change;
use crate::connection::Node;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{MemberId, ProjectId, UserId};
use crate::loader::loaders;
use crate::log::Subject;
use crate::registry::{payload, project, target, user};
use crate::role::Role;
use crate::time::Timestamp;
use crate::words::text_enum;

pub use sql::{MemberCount, RoleIn, list, list_of, reader_in};

text_enum! {
    /// Where a membership comes from.
    Source {
        /// Somebody gave it.
        Manual = "MANUAL",
        /// Single sign-on gave it, by the person's groups.
        Oidc = "OIDC",
    }
}

/// A person's role in a project.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Member {
    #[graphql(skip)]
    pub id: MemberId,
    #[graphql(skip)]
    pub project_id: ProjectId,
    #[graphql(skip)]
    pub user_id: UserId,
    /// What they may do.
    #[sqlx(try_from = "String")]
    pub role: Role,
    #[graphql(skip)]
    #[sqlx(try_from = "String")]
    pub source: Source,
    #[graphql(skip)]
    pub added_by_id: Option<UserId>,
    /// When they became a member.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
}

#[ComplexObject]
impl Member {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// Where they are a member.
    async fn project(&self, ctx: &Context<'_>) -> Result<Project> {
        loaders(ctx)
            .load_one(self.project_id.clone())
            .await?
            .ok_or_else(|| Error::internal("a member without their project"))
    }

    /// Who they are.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        user::load(ctx, Some(&self.user_id))
            .await?
            .ok_or_else(|| Error::internal("a member who is nobody"))
    }

    /// Whether single sign-on made them a member, by their groups.
    async fn by_single_sign_on(&self) -> bool {
        self.source == Source::Oidc
    }

    /// Who gave them their role; null for single sign-on and for the creator of the project.
    async fn added_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.added_by_id.as_ref()).await
    }
}

impl Node for Member {
    const NAME: &'static str = "Member";
}

/// A new member of a project.
#[derive(InputObject)]
pub struct AddMemberInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// The user name of the person.
    username: String,
    /// What they may do; not more than you.
    role: Role,
}

/// Another role for a member.
#[derive(InputObject)]
pub struct UpdateMemberInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// The user name of the member.
    username: String,
    /// What they may do from now on; not more than you.
    role: Role,
}

/// Which member to remove.
#[derive(InputObject)]
pub struct RemoveMemberInput {
    /// The path of the project, such as `vision`.
    project: String,
    /// The user name of the member; your own to leave.
    username: String,
}

payload! {
    /// The new member.
    AddMemberPayload {
        /// The member.
        member: Member
    }
}

payload! {
    /// The changed member.
    UpdateMemberPayload {
        /// The member.
        member: Member
    }
}

payload! {
    /// Who is no member any more.
    RemoveMemberPayload {
        /// The member as they were.
        member: Member
    }
}

#[derive(Default)]
pub struct MemberMutation;

#[Object]
impl MemberMutation {
    /// Makes a person a member of a project.
    async fn add_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, where, and with which role.")] input: AddMemberInput,
    ) -> Result<AddMemberPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let maintainer = project::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let member = add(&mut change, &maintainer, &input.username, input.role).await?;
        change.commit().await?;
        Ok(AddMemberPayload { member })
    }

    /// Gives a member another role.
    async fn update_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, where, and with which role.")] input: UpdateMemberInput,
    ) -> Result<UpdateMemberPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let maintainer = project::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
        let member = update(&mut change, &maintainer, &input.username, input.role).await?;
        change.commit().await?;
        Ok(UpdateMemberPayload { member })
    }

    /// Takes a person's role in a project away, from the next request on. Members may leave by
    /// themselves.
    async fn remove_member(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and where.")] input: RemoveMemberInput,
    ) -> Result<RemoveMemberPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let member = if actor(ctx).user()?.username == input.username {
            let reader = access::reader(&mut *change, actor(ctx), &input.project).await?;
            access::account(actor(ctx))?;
            leave(&mut change, &reader, &input.username).await?
        } else {
            let maintainer =
                project::lone_maintainer(&mut change, actor(ctx), &input.project).await?;
            remove(&mut change, &maintainer, &input.username).await?
        };
        change.commit().await?;
        Ok(RemoveMemberPayload { member })
    }
}

/// The columns of [`Member`], of `members m`.
macro_rules! columns {
    () => {
        "m.id, m.project_id, m.user_id, m.role, m.source, m.added_by_id, m.created_at_ms"
    };
}
use columns;

const TOO_MUCH: Error =
    Error::Forbidden("nobody gives or takes a role that is higher than their own");

async fn add(
    change: &mut Change,
    maintainer: &Maintainer,
    username: &str,
    role: Role,
) -> Result<Member> {
    if role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    let user = access::user::find_by_username(&mut **change, username)
        .await?
        .filter(|user| !user.is_robot() && user.deleted_at_ms.is_none())
        .ok_or_else(|| Error::not_found("user", username))?;
    let member = insert(change, maintainer.project(), &user, role, Source::Manual)
        .await?
        .ok_or_else(|| Error::AlreadyExists { kind: "member", key: username.to_owned() })?;
    record(change, "member.add", maintainer.project(), username, &member).await?;
    Ok(member)
}

/// Makes who creates a project its owner.
pub async fn add_creator(change: &mut Change, project: &Project, creator: &User) -> Result<()> {
    insert(change, project, creator, Role::Owner, Source::Manual).await?;
    Ok(())
}

/// Gives the robot of a new project token its role.
pub async fn add_robot(
    change: &mut Change,
    maintainer: &Maintainer,
    robot: &User,
    role: Role,
) -> Result<()> {
    if role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    insert(change, maintainer.project(), robot, role, Source::Manual).await?;
    Ok(())
}

async fn insert(
    change: &mut Change,
    project: &Project,
    user: &User,
    role: Role,
    source: Source,
) -> Result<Option<Member>> {
    let added_by = (change.author() != &user.id).then(|| change.author().raw().to_owned());
    let member = query(
        "INSERT INTO members (id, project_id, user_id, role, source, added_by_id, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (project_id, user_id) DO NOTHING
         RETURNING id, project_id, user_id, role, source, added_by_id, created_at_ms",
    )
    .bind(MemberId::new(change.now))
    .bind(&project.id)
    .bind(&user.id)
    .bind(role)
    .bind(source)
    .bind(added_by)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    Ok(member)
}

async fn update(
    change: &mut Change,
    maintainer: &Maintainer,
    username: &str,
    role: Role,
) -> Result<Member> {
    let member = get(change, maintainer.project(), username).await?;
    if role > maintainer.role() || member.role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    let updated: Member = query(
        "UPDATE members SET role = $2, source = 'MANUAL' WHERE id = $1
         RETURNING id, project_id, user_id, role, source, added_by_id, created_at_ms",
    )
    .bind(&member.id)
    .bind(role)
    .fetch_one(&mut **change)
    .await?;
    check_owned(change, maintainer.project(), &member).await?;
    let detail = serde_json::json!({
        "username": username, "from": member.role.as_str(), "role": role.as_str(),
    });
    let subject = subject(maintainer.project(), username, &updated);
    change.record("member.update", subject, detail).await?;
    Ok(updated)
}

async fn remove(change: &mut Change, maintainer: &Maintainer, username: &str) -> Result<Member> {
    let member = get(change, maintainer.project(), username).await?;
    if member.role > maintainer.role() {
        return Err(TOO_MUCH);
    }
    delete(change, maintainer, username, member).await
}

async fn leave(change: &mut Change, reader: &Reader, username: &str) -> Result<Member> {
    target::touch(change, &reader.project().id).await?;
    let member = get(change, reader.project(), username).await?;
    delete(change, reader, username, member).await
}

async fn delete(
    change: &mut Change,
    reader: &Reader,
    username: &str,
    member: Member,
) -> Result<Member> {
    query("DELETE FROM members WHERE id = $1").bind(&member.id).execute(change).await?;
    check_owned(change, reader.project(), &member).await?;
    record(change, "member.remove", reader.project(), username, &member).await?;
    Ok(member)
}

/// Refuses a change that leaves a project without an owner. The project is locked by then.
async fn check_owned(change: &mut Change, project: &Project, before: &Member) -> Result<()> {
    if before.role != Role::Owner {
        return Ok(());
    }
    let (owners,): (i64,) =
        query("SELECT COUNT(*) FROM members WHERE project_id = $1 AND role = 'OWNER'")
            .bind(&project.id)
            .fetch_one(&mut **change)
            .await?;
    if owners == 0 {
        return Err(Error::Conflict(format!(
            "{:?} would be without an owner: make somebody else OWNER first",
            project.path
        )));
    }
    Ok(())
}

async fn get(change: &mut Change, project: &Project, username: &str) -> Result<Member> {
    query(concat!(
        "SELECT ",
        columns!(),
        " FROM members m JOIN users u ON u.id = m.user_id
          WHERE m.project_id = $1 AND u.username = $2 AND u.kind = 'PERSON'"
    ))
    .bind(&project.id)
    .bind(crate::text::looked_up(username))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("member", username))
}

async fn record(
    change: &mut Change,
    action: &'static str,
    project: &Project,
    username: &str,
    member: &Member,
) -> Result<()> {
    let detail = serde_json::json!({ "username": username, "role": member.role.as_str() });
    change.record(action, subject(project, username, member), detail).await
}

fn subject<'a>(project: &'a Project, username: &str, member: &'a Member) -> Subject<'a> {
    Subject {
        name: format!("{}: {username}", project.path),
        project_id: Some(&project.id),
        model_id: None,
        object_id: member.user_id.raw(),
    }
}

/// Ends all memberships of a person. Refuses where a project would be without an owner.
pub async fn end_all(change: &mut Change, _admin: &access::Admin, user: &User) -> Result<()> {
    // Held, so that of two owners who leave at once the second sees that the first has left.
    query(
        "UPDATE projects SET path = path
         WHERE id IN (SELECT project_id FROM members WHERE user_id = $1)",
    )
    .bind(&user.id)
    .execute(change)
    .await?;
    let owned: Vec<(String,)> = query(
        "SELECT p.path FROM members m JOIN projects p ON p.id = m.project_id
         WHERE m.user_id = $1 AND m.role = 'OWNER' AND p.deleted_at_ms IS NULL AND NOT EXISTS
             (SELECT 1 FROM members o WHERE o.project_id = m.project_id AND o.role = 'OWNER' AND o.user_id <> $1)
         ORDER BY p.path LIMIT 10",
    )
    .bind(&user.id)
    .fetch_all(&mut **change)
    .await?;
    if !owned.is_empty() {
        let paths: Vec<_> = owned.into_iter().map(|(path,)| path).collect();
        return Err(Error::Conflict(format!(
            "they are the only owner of {}: make somebody else OWNER first",
            paths.join(", ")
        )));
    }
    let ended: Vec<Member> = query(
        "DELETE FROM members WHERE user_id = $1
         RETURNING id, project_id, user_id, role, source, added_by_id, created_at_ms",
    )
    .bind(&user.id)
    .fetch_all(&mut **change)
    .await?;
    for member in ended {
        if let Some(project) =
            access::project::find_by_id(&mut **change, &member.project_id).await?
        {
            record(change, "member.remove", &project, &user.username, &member).await?;
        }
    }
    Ok(())
}
