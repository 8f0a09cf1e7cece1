//! What the MLmodel file of a version says: how it can be loaded, what goes in and out, what it needs.

use leptos::prelude::*;

use crate::{
    components::{badge::Badge, copy::CopyButton},
    graphql::version::{Signature, SignatureField, VersionDetail},
    logic::format,
};

/// Whether the version has such a file.
pub fn is_known(version: &VersionDetail) -> bool {
    !version.flavors.is_empty() || version.signature.is_some() || version.mlflow_version.is_some()
}

#[component]
pub fn Mlmodel(version: VersionDetail) -> impl IntoView {
    let VersionDetail { flavors, signature, requirements, mlflow_version, .. } = version;
    let flavors = flavors.into_iter().map(|text| view! { <Badge text/> }).collect_view();
    view! {
        <section class="panel">
            <header class="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-base-300 px-5 py-3">
                <h2 class="font-semibold">"MLflow model"</h2>
                <div class="flex flex-wrap gap-1">{flavors}</div>
                {mlflow_version.map(|version| view! {
                    <span class="text-sm text-muted sm:ml-auto">"logged with MLflow " {version}</span>
                })}
            </header>
            {match signature {
                Some(signature) => view! { <SignatureTable signature/> }.into_any(),
                None => view! {
                    <p class="px-5 py-3 text-sm text-muted">"This model has no signature: its inputs and outputs are not described."</p>
                }
                .into_any(),
            }}
            {(!requirements.is_empty()).then(|| view! { <Requirements requirements/> })}
        </section>
    }
}

#[component]
fn SignatureTable(signature: Signature) -> impl IntoView {
    let Signature { inputs, outputs, params } = signature;
    let groups = [("Inputs", inputs), ("Outputs", outputs), ("Params", params)];
    let any =
        |has: fn(&SignatureField) -> bool| groups.iter().any(|(_, fields)| fields.iter().any(has));
    let shapes = any(|field| field.shape.is_some());
    let defaults = any(|field| field.default.is_some());
    let width = 3 + usize::from(shapes) + usize::from(defaults);
    let cells = move |field: SignatureField| {
        let SignatureField { name, kind, shape, required, default } = field;
        view! {
            <tr>
                <th scope="row" class="min-w-28 break-words pl-5 font-mono font-normal">{name.unwrap_or_else(|| "–".to_owned())}</th>
                <td class="min-w-20 break-words font-mono">{kind}</td>
                {shapes.then(|| view! { <td class="whitespace-nowrap font-mono">{shape.map(|shape| sizes(&shape))}</td> })}
                <td>{if required { "yes" } else { "no" }}</td>
                {defaults.then(|| view! { <td class="break-words font-mono">{default}</td> })}
            </tr>
        }
    };
    let bodies = groups
        .into_iter()
        .filter(|(_, fields)| !fields.is_empty())
        .map(|(title, fields)| view! {
            <tbody>
                <tr>
                    <th scope="rowgroup" colspan=width class="bg-base-200 pl-5 text-left font-semibold">{title}</th>
                </tr>
                {fields.into_iter().map(cells).collect_view()}
            </tbody>
        })
        .collect_view();
    view! {
        <div class="overflow-x-auto" tabindex="0" role="region" aria-label="Signature">
            <table class="table table-sm">
                <thead>
                    <tr>
                        <th scope="col" class="pl-5">"Name"</th>
                        <th scope="col">"Type"</th>
                        {shapes.then(|| view! { <th scope="col" title="-1: any size">"Shape"</th> })}
                        <th scope="col">"Required"</th>
                        {defaults.then(|| view! { <th scope="col">"Default"</th> })}
                    </tr>
                </thead>
                {bodies}
            </table>
        </div>
    }
}

/// As MLflow and NumPy write it: `(-1, 28, 28)`.
fn sizes(shape: &[i32]) -> String {
    let sizes = shape.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    if shape.len() == 1 { format!("({sizes},)") } else { format!("({sizes})") }
}

#[component]
fn Requirements(requirements: Vec<String>) -> impl IntoView {
    let count = format::plural(requirements.len() as i64, "requirement", "requirements");
    let text = requirements.join("\n");
    view! {
        <details class="border-t border-base-300 px-5 py-3">
            <summary class="cursor-pointer text-sm font-medium">{count}</summary>
            <div class="mt-2 flex items-start gap-1 rounded-field bg-base-200 py-2 pl-3 pr-2">
                <pre
                    class="min-w-0 grow overflow-x-auto py-1 font-mono text-xs leading-relaxed"
                    tabindex="0" role="region" aria-label="Requirements"
                >
                    <code>{text.clone()}</code>
                </pre>
                <CopyButton text=Signal::stored(text) label="Copy the requirements"/>
            </div>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn shapes_are_tuples() {
        assert_eq!(sizes(&[-1, 28, 28]), "(-1, 28, 28)");
        assert_eq!(sizes(&[-1]), "(-1,)");
        assert_eq!(sizes(&[]), "()");
    }
}
