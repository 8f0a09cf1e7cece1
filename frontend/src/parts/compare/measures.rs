//! Params and metrics as tables.

use leptos::prelude::*;

use crate::{
    graphql::tag::{Metric, Param},
    logic::format,
};

#[component]
pub fn ParamTable(#[prop(into)] params: Signal<Vec<Param>>) -> impl IntoView {
    view! {
        <section class="panel">
            <h2 class="border-b border-base-300 px-5 py-3 font-semibold">"Params"</h2>
            <div class="overflow-x-auto">
                <table class="table table-sm">
                    <thead class="sr-only">
                        <tr><th scope="col">"Name"</th><th scope="col">"Value"</th></tr>
                    </thead>
                    <tbody>
                        <For each=move || params.get() key=|param| (param.name.clone(), param.value.clone()) let:param>
                            <tr>
                                <th scope="row" class="w-1/3 break-all pl-5 align-top font-normal">{param.name}</th>
                                <td class="break-all font-mono text-sm">{param.value}</td>
                            </tr>
                        </For>
                    </tbody>
                </table>
            </div>
        </section>
    }
}

#[component]
pub fn MetricTable(#[prop(into)] metrics: Signal<Vec<Metric>>) -> impl IntoView {
    view! {
        <section class="panel">
            <h2 class="border-b border-base-300 px-5 py-3 font-semibold">"Metrics"</h2>
            <div class="overflow-x-auto">
                <table class="table table-sm">
                    <thead>
                        <tr>
                            <th scope="col" class="pl-5">"Name"</th>
                            <th scope="col" class="text-right">"Value"</th>
                            <th scope="col" class="pr-5 text-right">"Step"</th>
                        </tr>
                    </thead>
                    <tbody>
                        <For
                            each=move || metrics.get()
                            key=|metric| (metric.name.clone(), metric.value.0.to_bits(), metric.step)
                            let:metric
                        >
                            <tr>
                                <th scope="row" class="break-all pl-5 font-normal">{metric.name}</th>
                                <td class="text-right font-medium tabular-nums" title=metric.value.0.to_string()>
                                    {format::metric(metric.value.0)}
                                </td>
                                <td class="pr-5 text-right tabular-nums text-muted">{format::count(metric.step)}</td>
                            </tr>
                        </For>
                    </tbody>
                </table>
            </div>
        </section>
    }
}
