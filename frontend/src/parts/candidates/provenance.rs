//! What the tags of a training run say about where it came from: who ran what, from which commit, in
//! which CI job, with links to them.
//!
//! Tags hold whatever a client sent. No address is made of a part that does not look like what it should
//! be, and what logs in, such as `https://user:token@host`, never gets into one.

use crate::{graphql::tag::Tag, logic::address};

/// One thing that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub term: &'static str,
    pub text: String,
    /// The whole, where the text is a part of it; more about it otherwise.
    pub title: String,
    pub href: Option<String>,
}

fn tag<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    let tag = tags.iter().find(|tag| tag.key == key)?;
    Some(tag.value.trim()).filter(|value| !value.is_empty())
}

/// A variable of a CI system: a tag of its name, perhaps after a prefix as in `gitlab.CI_JOB_ID`.
fn variable<'a>(tags: &'a [Tag], name: &str) -> Option<&'a str> {
    let named = |tag: &&Tag| tag.key == name || tag.key.rsplit('.').next() == Some(name);
    Some(tags.iter().find(named)?.value.trim()).filter(|value| !value.is_empty())
}

/// Who ran it, as their machine or CI calls them.
pub fn user(tags: &[Tag]) -> Option<&str> {
    tag(tags, "mlflow.user")
        .or_else(|| variable(tags, "GITLAB_USER_NAME"))
        .or_else(|| variable(tags, "GITHUB_ACTOR"))
}

/// The run that this one is a part of.
pub fn parent(tags: &[Tag]) -> Option<&str> {
    tag(tags, "mlflow.parentRunId").filter(|id| hexadecimal(id))
}

/// All that is known, in the order in which people ask.
pub fn known(tags: &[Tag]) -> Vec<Known> {
    let user =
        user(tags).map(|user| Known { term: "User", text: user.to_owned(), ..Default::default() });
    let branch = tag(tags, "mlflow.source.git.branch")
        .or_else(|| variable(tags, "CI_COMMIT_REF_NAME"))
        .or_else(|| variable(tags, "GITHUB_REF_NAME"))
        .map(|branch| Known { term: "Branch", text: branch.to_owned(), ..Default::default() });
    [user, source(tags), branch, commit(tags), job(tags), pipeline(tags), workflow(tags)]
        .into_iter()
        .flatten()
        .collect()
}

fn source(tags: &[Tag]) -> Option<Known> {
    let name = tag(tags, "mlflow.source.name")?;
    // Of a long path the end says most.
    let end = name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(name);
    let kind = tag(tags, "mlflow.source.type").map(|kind| format!(" ({})", kind.to_lowercase()));
    Some(Known {
        term: "Source",
        text: format!("{end}{}", kind.unwrap_or_default()),
        title: name.to_owned(),
        href: address::external(name).map(str::to_owned).or_else(|| repository(name)),
    })
}

fn commit(tags: &[Tag]) -> Option<Known> {
    let commit = tag(tags, "mlflow.source.git.commit")
        .or_else(|| variable(tags, "CI_COMMIT_SHA"))
        .or_else(|| variable(tags, "GITHUB_SHA"))?;
    let home = tag(tags, "mlflow.source.git.repoURL")
        .and_then(repository)
        .or_else(|| gitlab(tags))
        .or_else(|| github(tags));
    Some(Known {
        term: "Commit",
        text: commit.get(..12).unwrap_or(commit).to_owned(),
        title: commit.to_owned(),
        href: home.filter(|_| hexadecimal(commit)).map(|home| {
            let host = home.split('/').nth(2).unwrap_or_default();
            let way = match host {
                host if host.contains("bitbucket") => "commits",
                host if host.contains("gitlab") => "-/commit",
                _ => "commit",
            };
            format!("{home}/{way}/{commit}")
        }),
    })
}

fn job(tags: &[Tag]) -> Option<Known> {
    let [id, url] = ["CI_JOB_ID", "CI_JOB_URL"].map(|name| variable(tags, name));
    numbered("CI job", id, url, || Some(format!("{}/-/jobs", gitlab(tags)?)))
}

fn pipeline(tags: &[Tag]) -> Option<Known> {
    let [id, url] = ["CI_PIPELINE_ID", "CI_PIPELINE_URL"].map(|name| variable(tags, name));
    numbered("Pipeline", id, url, || Some(format!("{}/-/pipelines", gitlab(tags)?)))
}

fn workflow(tags: &[Tag]) -> Option<Known> {
    let id = variable(tags, "GITHUB_RUN_ID");
    let known =
        numbered("Workflow run", id, None, || Some(format!("{}/actions/runs", github(tags)?)))?;
    let title = variable(tags, "GITHUB_WORKFLOW").unwrap_or_default().to_owned();
    Some(Known { title, ..known })
}

/// Something with a number, whose address is known or is the number below `home`.
fn numbered(
    term: &'static str,
    id: Option<&str>,
    url: Option<&str>,
    home: impl FnOnce() -> Option<String>,
) -> Option<Known> {
    let url = url.and_then(address::external);
    let id = id.or_else(|| url?.rsplit('/').find(|part| !part.is_empty()))?;
    let number = id.bytes().all(|byte| byte.is_ascii_digit());
    let below = || Some(format!("{}/{id}", home().filter(|_| number)?));
    Some(Known {
        term,
        text: if number { format!("#{id}") } else { id.to_owned() },
        title: String::new(),
        href: url.map(str::to_owned).or_else(below),
    })
}

/// The GitLab project of a CI job.
fn gitlab(tags: &[Tag]) -> Option<String> {
    if let Some(url) = variable(tags, "CI_PROJECT_URL") {
        return repository(url);
    }
    if let Some(path) = variable(tags, "CI_PROJECT_PATH") {
        return repository(&format!("{}/{path}", variable(tags, "CI_SERVER_URL")?));
    }
    // Some log only the job's id: then where the code is from.
    repository(tag(tags, "mlflow.source.git.repoURL")?)
}

/// The GitHub repository of a workflow.
fn github(tags: &[Tag]) -> Option<String> {
    let server = variable(tags, "GITHUB_SERVER_URL").unwrap_or("https://github.com");
    repository(&format!("{server}/{}", variable(tags, "GITHUB_REPOSITORY")?))
}

/// Where a browser finds a git repository: of `git@host:owner/name.git`, `ssh://…` and `https://…`.
fn repository(remote: &str) -> Option<String> {
    let remote = remote.trim().trim_end_matches('/');
    let remote = remote.strip_suffix(".git").unwrap_or(remote);
    let (scheme, rest) = match remote.split_once("://") {
        Some(("http", rest)) => ("http", rest.to_owned()),
        Some(("https", rest)) => ("https", rest.to_owned()),
        // The port is that of ssh.
        Some(("ssh", rest)) => {
            let (host, path) = rest.split_once('/')?;
            ("https", format!("{}/{path}", host.rsplit_once(':').map_or(host, |(host, _)| host)))
        }
        Some(_) => return None,
        None => {
            let (host, path) = remote.split_once(':')?;
            ("https", format!("{}/{path}", host.strip_prefix("git@")?))
        }
    };
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit('@').next().unwrap_or(host);
    let plain = |text: &str, more: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c)) && !text.is_empty()
    };
    let parts: Vec<&str> = path.split('/').collect();
    let good = parts.len() >= 2 && parts.iter().all(|p| plain(p, "-._~+") && !p.starts_with(".."));
    (good && plain(host, "-.:")).then(|| format!("{scheme}://{host}/{path}"))
}

fn hexadecimal(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[(&str, &str)]) -> Vec<Tag> {
        let tag = |(key, value): &(&str, &str)| Tag { key: (*key).into(), value: (*value).into() };
        tags.iter().map(tag).collect()
    }

    fn links(of: &[(&str, &str)]) -> Vec<(&'static str, String, Option<String>)> {
        known(&tags(of)).into_iter().map(|known| (known.term, known.text, known.href)).collect()
    }

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn remotes_become_addresses_without_what_logs_in() {
        let good = [
            ("https://github.com/acme/ocr", "https://github.com/acme/ocr"),
            ("https://github.com/acme/ocr.git/", "https://github.com/acme/ocr"),
            ("https://me:secret@github.com/acme/ocr.git", "https://github.com/acme/ocr"),
            ("https://oauth2:a@b@gitlab.example.com/a/b/c.git", "https://gitlab.example.com/a/b/c"),
            ("git@gitlab.com:group/sub/ocr.git", "https://gitlab.com/group/sub/ocr"),
            ("ssh://git@gitlab.example.com:2222/a/ocr.git", "https://gitlab.example.com/a/ocr"),
            ("http://localhost:3000/a/ocr", "http://localhost:3000/a/ocr"),
        ];
        for (remote, expected) in good {
            assert_eq!(repository(remote).as_deref(), Some(expected), "{remote}");
        }
        let bad = [
            "/srv/git/ocr.git",
            "../ocr",
            "file:///srv/git/ocr",
            "javascript://github.com/acme/ocr",
            "https://github.com/acme",
            "https://github.com/acme/../ocr",
            "https://github.com/acme/ocr?x=1",
            "https://github.com/a b/ocr",
            "https:///acme/ocr",
            "me@host:acme/ocr",
            "",
        ];
        for remote in bad {
            assert_eq!(repository(remote), None, "{remote}");
        }
    }

    #[test]
    fn a_commit_is_linked_where_its_host_shows_it() {
        let expected = |home: &str, way: &str| {
            vec![("Commit", "0123456789ab".to_owned(), Some(format!("{home}/{way}/{SHA}")))]
        };
        let found = |remote: &str| {
            links(&[("mlflow.source.git.commit", SHA), ("mlflow.source.git.repoURL", remote)])
        };
        let home = "https://github.com/acme/ocr";
        assert_eq!(found("git@github.com:acme/ocr.git"), expected(home, "commit"));
        let home = "https://gitlab.example.com/acme/ocr";
        assert_eq!(found(home), expected(home, "-/commit"));
        let home = "https://bitbucket.org/acme/ocr";
        assert_eq!(found(home), expected(home, "commits"));
        assert_eq!(found("/srv/git")[0].2, None);
        let odd = [
            ("mlflow.source.git.commit", "main/../../x"),
            ("mlflow.source.git.repoURL", "https://github.com/acme/ocr"),
        ];
        assert_eq!(links(&odd), [("Commit", "main/../../x".to_owned(), None)]);
    }

    #[test]
    fn gitlab_jobs_are_found_by_their_address_or_number() {
        let job = |text: &str, href: Option<&str>| {
            vec![("CI job", text.to_owned(), href.map(str::to_owned))]
        };
        assert_eq!(links(&[("gitlab.CI_JOB_ID", "77")]), job("#77", None));
        let url = "https://gitlab.example.com/a/b/-/jobs/77";
        assert_eq!(links(&[("gitlab.CI_JOB_URL", url)]), job("#77", Some(url)));
        let home = ("gitlab.CI_PROJECT_URL", "https://gitlab.example.com/a/b");
        assert_eq!(links(&[("gitlab.CI_JOB_ID", "77"), home]), job("#77", Some(url)));
        assert_eq!(links(&[("gitlab.CI_JOB_ID", "7/../x"), home]), job("7/../x", None));
        let evil = ("gitlab.CI_JOB_URL", "javascript:alert(1)");
        assert_eq!(links(&[("gitlab.CI_JOB_ID", "77"), evil]), job("#77", None));
        let all = links(&[
            ("gitlab.GITLAB_USER_NAME", "Ada"),
            ("gitlab.CI_COMMIT_SHA", SHA),
            ("gitlab.CI_PIPELINE_ID", "5"),
            home,
        ]);
        let text = |(term, text, href): &(&str, String, Option<String>)| {
            format!("{term}: {text} {}", href.clone().unwrap_or_default())
        };
        let all: Vec<_> = all.iter().map(text).collect();
        assert_eq!(
            all,
            [
                "User: Ada ".to_owned(),
                format!("Commit: 0123456789ab https://gitlab.example.com/a/b/-/commit/{SHA}"),
                "Pipeline: #5 https://gitlab.example.com/a/b/-/pipelines/5".to_owned(),
            ]
        );
    }

    #[test]
    fn github_runs_and_sources() {
        let run = links(&[("GITHUB_REPOSITORY", "acme/ocr"), ("GITHUB_RUN_ID", "9")]);
        let href = "https://github.com/acme/ocr/actions/runs/9";
        assert_eq!(run, [("Workflow run", "#9".to_owned(), Some(href.to_owned()))]);
        let script = links(&[("mlflow.source.name", "/home/ada/ocr/train.py")]);
        assert_eq!(script, [("Source", "train.py".to_owned(), None)]);
        let notebook = [("mlflow.source.name", "ocr.ipynb"), ("mlflow.source.type", "NOTEBOOK")];
        assert_eq!(links(&notebook)[0].1, "ocr.ipynb (notebook)");
        let secret = links(&[("mlflow.source.name", "https://me:secret@host.example/x")]);
        assert_eq!(secret[0].2, None);
        assert_eq!(user(&tags(&[("mlflow.user", "ada"), ("GITHUB_ACTOR", "bot")])), Some("ada"));
        assert_eq!(parent(&tags(&[("mlflow.parentRunId", "../x")])), None);
    }
}
