//! A prompt's template, with its variables marked.

use leptos::prelude::*;

use crate::{
    components::copy::CopyButton,
    graphql::prompt::Template,
    logic::template::{Part, parts, pretty},
};

const TEXT: &str = "whitespace-pre-wrap wrap-anywhere font-mono text-sm leading-relaxed";

#[component]
pub fn TemplatePanel(template: Memo<Option<Template>>) -> impl IntoView {
    let plain = Signal::derive(move || {
        template.with(|t| t.as_ref().map_or(String::new(), Template::plain))
    });
    move || {
        template.get().map(|template| {
            let variables = template.variables.clone();
            view! {
                <section class="panel">
                    <div class="flex items-center justify-between gap-2 border-b border-base-300 px-5 py-3">
                        <h2 class="font-semibold">"Template"</h2>
                        <CopyButton text=plain label="Copy the template" class="btn btn-ghost btn-sm btn-square"/>
                    </div>
                    {said(&template)}
                    {(!variables.is_empty()).then(|| view! {
                        <p class="border-t border-base-300 px-5 py-3 text-sm text-muted">
                            "Variables: " <span class="font-mono">{variables.join(", ")}</span>
                        </p>
                    })}
                    {template.response_format.map(|json| folded("Response format", &json))}
                    {template.model_config.map(|json| folded("Model settings", &json))}
                </section>
            }
        })
    }
}

/// The text, or each message of a chat below who says it.
fn said(template: &Template) -> AnyView {
    let Some(messages) = &template.messages else {
        return view! { <pre class=format!("px-5 py-4 {TEXT}")>{marked(&template.text, &template.variables)}</pre> }
            .into_any();
    };
    let message = |message: &crate::graphql::prompt::Message| {
        view! {
            <div class="px-5 py-4">
                <dt class="mb-1 text-xs font-semibold text-muted">{message.role.clone()}</dt>
                <dd><pre class=TEXT>{marked(&message.content, &template.variables)}</pre></dd>
            </div>
        }
    };
    let messages = messages.iter().map(message).collect_view();
    view! { <dl class="divide-y divide-base-300">{messages}</dl> }.into_any()
}

fn marked(text: &str, variables: &[String]) -> Vec<AnyView> {
    let part = |part| match part {
        Part::Text(text) => text.to_owned().into_any(),
        Part::Variable(text) => {
            view! { <mark class="rounded-sm bg-primary/15 text-inherit">{text.to_owned()}</mark> }
                .into_any()
        }
    };
    parts(text, variables).into_iter().map(part).collect()
}

fn folded(title: &'static str, json: &str) -> impl IntoView + use<> {
    view! {
        <details class="border-t border-base-300 px-5 py-3 text-sm">
            <summary class="cursor-pointer">{title}</summary>
            <pre class=format!("mt-2 {TEXT}")>{pretty(json)}</pre>
        </details>
    }
}
