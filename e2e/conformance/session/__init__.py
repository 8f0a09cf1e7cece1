"""One session of an MLflow client, as raw requests: every endpoint, used well and used badly.

There are no expectations here: what MLflow's own server answers is what is expected. The order matters, for
what one step makes is what later ones ask for.
"""

from session.artifacts import ARTIFACTS
from session.experiments import EXPERIMENTS, ODD_EXPERIMENTS, SEARCH_EXPERIMENTS
from session.inputs import INPUTS
from session.logged_models import LOGGED_MODELS
from session.model_search import SEARCH_MODELS, SEARCH_VERSIONS
from session.models import ALIASES, REGISTERED_MODELS, STAGES, VERSIONS
from session.run_search import SEARCH_RUNS
from session.runs import BATCHES, METRICS, RUNS
from session.server import SERVER, WORKSPACES_AND_WEBHOOKS
from session.steps import Step

STEPS = [
    *EXPERIMENTS,
    *RUNS,
    *METRICS,
    *BATCHES,
    *INPUTS,
    *SEARCH_RUNS,
    *ARTIFACTS,
    *LOGGED_MODELS,
    *SEARCH_EXPERIMENTS,
    *ODD_EXPERIMENTS,
    *REGISTERED_MODELS,
    *VERSIONS,
    *STAGES,
    *ALIASES,
    *SEARCH_MODELS,
    *SEARCH_VERSIONS,
    *SERVER,
    *WORKSPACES_AND_WEBHOOKS,
]

__all__ = ["STEPS", "Step"]
