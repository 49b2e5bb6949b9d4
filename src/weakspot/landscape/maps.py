"""Feature space on a plane: maps fitted on clean images, with the attacked ones placed in the same map.

PCA is linear: distances on the map are true ones, less what the plane leaves out. t-SNE (van der Maaten and Hinton,
2008) keeps neighbourhoods only: how far two groups are apart on it, and how wide they are, says nothing.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from sklearn.decomposition import PCA

from weakspot.analysis.latent import Features

Plane = Float[np.ndarray, "images 2"]
Columns = Float[np.ndarray, "images columns"]

POINTS = 5000
"""The most points of a map, clean and attacked ones together."""
PERPLEXITY = 30
PLACING_PERPLEXITY = 5
"""Of an attacked image: it is drawn to a few clean ones, so that it lands among those it resembles most."""
COMPONENTS = 50
"""Principal components that t-SNE sees: the rest is mostly noise, and the search for neighbours costs time."""
LEAST = 10
"""Images below which t-SNE is not tried."""

METRIC = "Distances on this map are distances in feature space, less what the other components hold."
NOT_METRIC = (
    "t-SNE keeps neighbourhoods only: distances between groups on this map, and their sizes, are not distances or "
    "spreads in feature space."
)


@dataclass(frozen=True, eq=False)
class Map:
    """Clean and attacked images on one plane; row i of both is one image."""

    method: Literal["pca", "tsne"]
    clean: Plane
    attacked: Plane | None
    explained: tuple[float, float] | None
    """The share of the clean features' variance along each axis; None for t-SNE, and where nothing varies."""
    says: str
    """How to read it, for the caption."""


def draw_maps(clean: Features, attacked: Features | None, seed: int) -> tuple[Map, ...]:
    """The maps of these images, PCA first; no t-SNE below `LEAST` images, or where the features do not vary.

    Args:
        clean: What the maps are fitted on.
        attacked: The same images attacked, row by row; they move no clean image, and none moves another.
        seed: Of t-SNE; the same seed, the same map.

    """
    fitted = _components(clean)
    if fitted is None:
        flat = [None if each is None else np.zeros((len(each), 2)) for each in (clean, attacked)]
        assert flat[0] is not None
        return (Map("pca", flat[0], flat[1], None, METRIC),)
    seen = fitted.transform(clean.astype(np.float64))
    moved = None if attacked is None else fitted.transform(attacked.astype(np.float64))
    first, second = (*fitted.explained_variance_ratio_, 0.0)[:2]
    plane = _plane(seen)
    pca = Map("pca", plane, None if moved is None else _plane(moved), (float(first), float(second)), METRIC)
    return (pca,) if len(clean) < LEAST else (pca, _tsne(seen, moved, plane, seed))


def _components(clean: Features) -> PCA | None:
    """The first principal components; None where nothing varies."""
    if len(clean) < 2 or not np.ptp(clean, axis=0).any():
        return None
    # Both solvers are exact, so nothing is left to chance; the covariance is quicker while it is the smaller matrix.
    solver = "covariance_eigh" if clean.shape[1] <= len(clean) else "full"
    return PCA(n_components=min(COMPONENTS, *clean.shape), svd_solver=solver).fit(clean.astype(np.float64))


def _plane(columns: Columns) -> Plane:
    """The first two columns; the second is 0 where features have one dimension only."""
    return np.pad(columns[:, :2], ((0, 0), (0, max(0, 2 - columns.shape[1]))))


def _tsne(seen: Columns, moved: Columns | None, start: Plane, seed: int) -> Map:
    from openTSNE import TSNE  # here, since it takes a second to import

    most = (len(seen) - 1) / 3
    embedding = TSNE(
        perplexity=min(PERPLEXITY, most),
        initialization=1e-4 * start / start[:, 0].std(),  # PCA with a small spread, as its authors advise
        random_state=seed,
        n_jobs=1,  # with more, sums are added in another order at each call
    ).fit(seen)
    placed = None
    if moved is not None:
        near = min(PLACING_PERPLEXITY, most)
        placed = np.array(embedding.transform(moved, perplexity=near, k=min(25, len(seen))))
    # Read after transform, which moves the origin of the whole map.
    return Map("tsne", np.array(embedding), placed, None, NOT_METRIC)
