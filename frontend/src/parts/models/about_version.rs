//! The facts of a version: when it was made, from what, and how large it is.

use leptos::prelude::*;

use crate::{
    components::{
        copy::CopyButton,
        facts::{Fact, Facts, SidePanel},
        person::Person,
        time::Time,
    },
    graphql::{
        version::{SourceCandidate, VersionPageData},
        viewer::Author,
    },
    logic::{address, format},
    parts::candidates::run_facts::RunFacts,
};

#[component]
pub fn AboutVersion(data: Memo<VersionPageData>) -> impl IntoView {
    view! {
        <SidePanel title="About">
            {move || {
                let VersionPageData { project, version, .. } = data.get();
                let has_files = !version.is_prompt();
                view! {
                    <Facts>
                        {version.published_at.map(|at| view! {
                            <Fact term="Published"><Time at=at.0/></Fact>
                        })}
                        <Fact term="Created">
                            <Time at=version.created_at.0/> " by " <Person person=version.author.map(Author::names)/>
                        </Fact>
                        {has_files.then(|| view! {
                            <Fact term="Last fetched">
                                {match version.last_fetched_at {
                                    Some(at) => view! { <Time at=at.0/> }.into_any(),
                                    None => view! { <span title="No download has been recorded">"never"</span> }.into_any(),
                                }}
                            </Fact>
                            <Fact term="Files">{format::count(version.file_count.into())}</Fact>
                            <Fact term="Size">
                                <span title=format!("{} bytes", version.size)>{format::bytes(version.size)}</span>
                            </Fact>
                        })}
                        <Fact term="MLflow number">{version.number}</Fact>
                        {version.candidate.map(|source| view! {
                            <Fact term="Source run"><Provenance project=project.path source/></Fact>
                        })}
                        // Of a prompt it is a placeholder.
                        {version.source.filter(|_| has_files).map(|source| view! {
                            <Fact term="Source"><code class="break-all text-xs">{source}</code></Fact>
                        })}
                        <RunFacts tags=version.tags/>
                        {version.digest.filter(|_| has_files).map(|digest| view! {
                            <Fact term="Digest">
                                <span class="inline-flex items-center gap-1">
                                    <code class="text-xs" title=digest.clone()>
                                        {digest.get(..16).unwrap_or(&digest).to_owned()} "…"
                                    </code>
                                    <CopyButton text=Signal::stored(digest) label="Copy the digest"/>
                                </span>
                            </Fact>
                        })}
                    </Facts>
                }
            }}
        </SidePanel>
    }
}

/// The training run that a version was made from.
#[component]
fn Provenance(project: String, source: SourceCandidate) -> impl IntoView {
    let SourceCandidate { number, name, run_id, author, model, .. } = source;
    let by = author.is_some().then(|| view! { " by " <Person person=author.map(Author::names)/> });
    let place = model.as_ref().map(|model| model.path.as_str()).zip(number);
    let href = address::run(&project, &run_id, place);
    let number = number.map(|number| format!(" #{number}"));
    view! {
        <a class="link" href=href title=format!("Run {run_id}")>{name} {number}</a>
        {by}
    }
}
