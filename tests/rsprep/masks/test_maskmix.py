"""The operator: what Eq. 7 promises, on drawn and on hand-written recipes."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.ndimage import gaussian_filter

from rsprep.errors import ConfigError, InputError
from rsprep.masks.maskmix import MaskMix, MixSettings, Recipe, Step, prepare
from rsprep.masks.maskmix.warp import FRACTION

NUMBERS = st.integers(0, 2**63 - 1)
SMALL = st.integers(0, 2**16)


def cloud(number: int, size: int | tuple[int, int] = 96, share: float = 0.3) -> np.ndarray:
    """A ragged blob about the middle of its frame."""
    shape = (size, size) if isinstance(size, int) else size
    rng = np.random.default_rng(number)
    y, x = (np.linspace(-1, 1, side) for side in shape)
    relief = gaussian_filter(rng.standard_normal(shape), 4) * 8 - 2 * (y[:, None] ** 2 + x**2)
    return (relief > np.quantile(relief, 1 - share)).astype(np.uint8)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def forward(step: Step) -> np.ndarray:
    """Matrix of one operation about the centre, (x, y, 1)."""
    matrix = np.eye(3)
    if step.op == "translate":
        matrix[:2, 2] = step.x, step.y
    elif step.op == "shear":
        matrix[0, 1], matrix[1, 0] = step.x, step.y
    elif step.op == "rotate":
        cos, sin = math.cos(math.radians(step.x)), math.sin(math.radians(step.x))
        matrix[:2, :2] = [[cos, -sin], [sin, cos]]
    else:
        matrix[0, 0] = matrix[1, 1] = step.x
    return matrix


def warped(mask: np.ndarray, matrix: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """An independent nearest-neighbour warp about both centres, in floating point."""
    back = np.linalg.inv(matrix)
    y, x = (np.arange(side) + 0.5 - side / 2 for side in shape)
    x, y = np.meshgrid(x, y)
    column = np.floor(back[0, 0] * x + back[0, 1] * y + back[0, 2] + mask.shape[1] / 2).astype(int)
    row = np.floor(back[1, 0] * x + back[1, 1] * y + back[1, 2] + mask.shape[0] / 2).astype(int)
    inside = (row >= 0) & (row < mask.shape[0]) & (column >= 0) & (column < mask.shape[1])
    return np.where(inside, mask[row.clip(0, mask.shape[0] - 1), column.clip(0, mask.shape[1] - 1)], 0)


def composed(recipe: Recipe, branch: int | None) -> np.ndarray:
    matrix = forward(Step("translate", *recipe.move)) @ forward(Step("rotate", recipe.turn))
    matrix = matrix @ np.diag([recipe.factor, recipe.factor, 1])
    for step in recipe.branches[branch] if branch is not None else ():
        matrix = forward(step) @ matrix
    return matrix


def by_the_book(recipe: Recipe, mask: np.ndarray, shape: tuple[int, int], threshold: float = 0.5) -> np.ndarray:
    """Eq. 7 in floating point, copy by copy and pixel by pixel."""
    total = np.zeros(shape)
    for branch, weight in zip([*range(len(recipe.branches)), None], recipe.weights, strict=True):
        total += weight * warped(mask, composed(recipe, branch), shape)
    return (total >= threshold - 1e-9).astype(np.uint8)


STEPS = st.one_of(
    st.builds(Step, st.just("translate"), st.floats(-32, 32), st.floats(-32, 32)),
    st.builds(Step, st.just("shear"), st.floats(-0.3, 0.3)),
    st.builds(Step, st.just("shear"), st.just(0.0), st.floats(-0.3, 0.3)),
    st.builds(Step, st.just("rotate"), st.floats(-30, 30)),
    st.builds(Step, st.just("scale"), st.floats(0.8, 1.25)),
)


@st.composite
def recipes(draw: st.DrawFn, placed: bool = True) -> Recipe:
    branches = draw(st.lists(st.lists(STEPS, max_size=3).map(tuple), max_size=4))
    raw = draw(st.lists(st.floats(0.01, 1), min_size=len(branches) + 1, max_size=len(branches) + 1))
    place = {"factor": draw(st.floats(0.5, 2)), "turn": draw(st.floats(-180, 180))} if placed else {}
    move = (draw(st.floats(-30, 30)), draw(st.floats(-30, 30))) if placed else (0.0, 0.0)
    return Recipe(branches=tuple(branches), weights=tuple(w / sum(raw) for w in raw), move=move, **place)


@given(recipes(), SMALL, st.sampled_from([(96, 96), (64, 128), (50, 77)]), st.sampled_from([16, 70, (65, 33), 130]))
@settings(max_examples=60)
def test_the_kernel_does_what_the_equation_says(
    recipe: Recipe, number: int, frame: tuple[int, int], size: object
) -> None:
    """Tiles, tables and whole numbers against plain arithmetic; a pixel may fall to its neighbour by rounding."""
    seed = cloud(number, frame)
    shape = (size, size) if isinstance(size, int) else size
    got = recipe.apply(seed, size=size)  # type: ignore[arg-type]
    assert got.shape == shape
    assert np.count_nonzero(got != by_the_book(recipe, seed, shape)) <= 0.0005 * got.size + 1  # type: ignore[arg-type]


@given(SMALL, st.sampled_from([96, (64, 128), (50, 77)]), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_operations_that_do_nothing_return_the_seed(number: int, frame: object, weights: list[float]) -> None:
    still = (Step("translate", 0.0), Step("shear", 0.0), Step("rotate", 0.0), Step("scale", 1.0))
    total = sum(weights) or 1
    shares = tuple(w / total for w in weights) if sum(weights) else (0.0, 0.0, 0.0, 1.0)
    seed = cloud(number, frame)  # type: ignore[arg-type]
    assert (Recipe(branches=(still,) * 3, weights=shares).apply(seed) == seed).all()


@given(SMALL, NUMBERS)
def test_ranges_of_nothing_return_the_seed(number: int, seed: int) -> None:
    rules = MixSettings.bare(rotate=0, shift=0, shear=0, area=None, keep_seed=True)
    mask = cloud(number)
    assert (MaskMix(rules)(mask, seed) == mask).all()


@given(recipes(placed=False), SMALL)
def test_the_seed_alone_returns_the_seed(recipe: Recipe, number: int) -> None:
    """w4 = 1."""
    alone = Recipe(branches=recipe.branches, weights=(0.0,) * len(recipe.branches) + (1.0,))
    seed = cloud(number)
    assert (alone.apply(seed) == seed).all()


def test_a_law_of_the_seed_alone_returns_the_seed() -> None:
    rules = MixSettings.bare(weights="fixed", fixed=(0, 0, 0, 1), area=None, keep_seed=True)
    mask = cloud(1)
    assert all((MaskMix(rules)(mask, 5, index) == mask).all() for index in range(20))


def in_a_row(seed: np.ndarray, steps: tuple[Step, ...]) -> np.ndarray:
    """Each operation a nearest-neighbour warp of its own, on a canvas that nothing leaves."""
    side = len(seed)
    canvas = warped(seed, np.eye(3), (5 * side, 5 * side))
    for step in steps:
        canvas = warped(canvas, forward(step), (5 * side, 5 * side))
    return canvas[2 * side : 3 * side, 2 * side : 3 * side]


@given(st.lists(STEPS, min_size=1, max_size=3).map(tuple), SMALL)
@settings(max_examples=60)
def test_one_warp_differs_from_its_operations_in_a_row_along_outlines_only(
    steps: tuple[Step, ...], number: int
) -> None:
    """Every warp of its own moves outlines by a pixel at most, and may lose what is a pixel wide."""
    seed = cloud(number)
    got, middle = Recipe(branches=(steps,), weights=(1.0, 0.0)).apply(seed), in_a_row(seed, steps)
    square = np.ones((3, 3))
    outline = np.zeros(got.shape, np.bool_)
    for mask in (got, middle):
        outline |= ndimage.binary_dilation(mask, square) & ~ndimage.binary_erosion(mask, square, border_value=1)
    outline[[0, -1]] = outline[:, [0, -1]] = True  # beyond the frame there may be more of it
    near = ndimage.binary_dilation(outline, square, iterations=len(steps))
    assert not ((got != middle) & ~near).any()


def test_one_warp_equals_its_operations_in_a_row() -> None:
    """On masks of the usual size and draws of the usual ranges."""
    seed = cloud(5, (256, 256))
    rng = np.random.default_rng(1)
    for _ in range(12):
        steps = (
            Step("translate", *rng.uniform(-85, 85, 2)),
            Step("shear", rng.uniform(-0.3, 0.3)),
            Step("rotate", rng.uniform(-30, 30)),
        )
        got, middle = Recipe(branches=(steps,), weights=(1.0, 0.0)).apply(seed), in_a_row(seed, steps)
        assert iou(got, middle) >= 0.9 or middle.sum() < 500


def test_nothing_clips_between_operations() -> None:
    seed = cloud(3)
    away = (Step("translate", 90.0, 0.0), Step("translate", -90.0, 0.0))
    assert (Recipe(branches=(away,), weights=(1.0, 0.0)).apply(seed) == seed).all()


def test_operations_act_in_their_order() -> None:
    seed = np.zeros((64, 64), np.uint8)
    seed[28:36, 28:36] = 1
    first = Recipe(branches=((Step("translate", 20.0), Step("rotate", 90.0)),), weights=(1.0, 0.0)).apply(seed)
    then = Recipe(branches=((Step("rotate", 90.0), Step("translate", 20.0)),), weights=(1.0, 0.0)).apply(seed)
    assert first[48:56, 28:36].all()  # x turns towards y, which points down
    assert then[28:36, 48:56].all()
    assert first.sum() == then.sum() == 64


def test_the_threshold_is_reached_by_equality() -> None:
    seed = cloud(0)
    away = Step("translate", 200.0)
    half = Recipe(branches=((away,),), weights=(0.5, 0.5))
    assert (half.apply(seed, threshold=0.5) == seed).all()
    assert not half.apply(seed, threshold=0.51).any()
    fifths = Recipe(branches=((),) * 4, weights=(0.2,) * 5)
    assert (fifths.apply(seed, threshold=1) == seed).all()  # five times 0.2 is 1 in spite of rounding


@given(NUMBERS, st.integers(1, 40), st.integers(0, 10**9))
@settings(max_examples=30)
def test_a_mask_depends_on_seed_and_index_alone(seed: int, cut: int, start: int) -> None:
    mixer = MaskMix(MixSettings(tries=50))
    clouds = [cloud(0), cloud(1, (64, 90)), cloud(2, share=0.05)]
    indices = range(start, start + 41)
    together = mixer.batch(clouds, indices, seed=seed, size=64)
    apart = [mixer.batch(clouds, part, seed=seed, size=64) for part in (indices[:cut], indices[cut:][::-1])]
    back = np.concatenate([apart[0].masks, apart[1].masks[::-1]])
    assert hashlib.sha256(together.masks).digest() == hashlib.sha256(back).digest()
    assert (together.attempts == np.concatenate([apart[0].attempts, apart[1].attempts[::-1]])).all()


@given(
    NUMBERS,
    st.floats(0, 0.7),
    st.floats(0.05, 0.3),
    st.sampled_from([(64, 64), (50, 77), (33, 128)]),
    st.sampled_from(["aim", "random", "off"]),
    st.integers(0, 4),
)
@settings(max_examples=60)
def test_masks_are_binary_and_within_bounds(
    seed: int, low: float, width: float, size: tuple[int, int], resize: str, branches: int
) -> None:
    rules = MixSettings(area=(low, low + width), resize=resize, branches=branches, tries=60)
    mixed = MaskMix(rules).batch([cloud(n, 64) for n in range(3)], range(20), seed=seed, size=size)
    assert mixed.masks.shape == (20, *size)
    assert mixed.masks.max() <= 1
    measured = mixed.masks.mean((1, 2))
    assert (measured[~mixed.reached] == 0).all()
    np.testing.assert_allclose(measured[mixed.reached], mixed.area_ratio[mixed.reached], rtol=1e-6)
    assert (measured[mixed.reached] >= low).all()
    assert (measured[mixed.reached] <= low + width).all()
    assert (mixed.attempts[~mixed.reached] == 60).all()


@given(NUMBERS, st.integers(0, 50))
@settings(max_examples=40)
def test_a_recipe_tells_what_a_mask_was_made_of(seed: int, index: int) -> None:
    clouds = [cloud(0), cloud(1, (64, 90))]
    mixer = MaskMix(MixSettings(ops=("translate", "shear", "rotate", "scale")))
    mixed = mixer.batch(clouds, [index], seed=seed, size=80)
    number, recipe = mixer.recipe(clouds, index, seed=seed, attempt=int(mixed.attempts[0]), size=80)
    assert number == mixed.seeds[0]
    again = recipe.apply(clouds[number], size=80)
    assert np.count_nonzero(again != mixed.masks[0]) <= 2
    assert np.count_nonzero(by_the_book(recipe, clouds[number], (80, 80)) != mixed.masks[0]) <= 5


@given(NUMBERS, st.integers(0, 1000))
def test_what_is_drawn_stays_within_its_ranges(seed: int, index: int) -> None:
    rules = MixSettings(
        ops=(("translate",), ("shear",), ("rotate", "scale")), rotate=20, shift=0.2, shear=0.1, scale=(0.9, 1.1),
        turn=90, move=0.1, limits=(0.8, 1.5),
    )  # fmt: skip
    _, recipe = MaskMix(rules).recipe([cloud(0, 100)], index, seed=seed, size=(50, 100))
    assert math.isclose(sum(recipe.weights), 1)
    assert min(recipe.weights) > 0
    assert all(abs(step.x) <= 20 and abs(step.y) <= 10 for step in recipe.branches[0])
    assert all(abs(step.x) <= 0.1 and abs(step.y) <= 0.1 and step.x * step.y == 0 for step in recipe.branches[1])
    for step in recipe.branches[2]:
        assert abs(step.x) <= 20 if step.op == "rotate" else 0.9 - 1e-9 <= step.x <= 1.1 + 1e-9
    assert abs(recipe.turn) <= 90
    assert abs(recipe.move[0]) <= 10
    assert abs(recipe.move[1]) <= 5
    assert 0.5 * 0.8 - 1e-9 <= recipe.factor <= 0.5 * 1.5 + 1e-9  # the frame of 100 fits into 50


@pytest.mark.parametrize(
    ("law", "mean", "variance"),
    [
        ({"weights": "dirichlet", "alpha": 1.0}, 0.25, 3 / 80),
        ({"weights": "dirichlet", "alpha": 0.3}, 0.25, 3 / 16 / 2.2),
        ({"weights": "dirichlet", "alpha": 4.0}, 0.25, 3 / 16 / 17),
        ({"weights": "fixed", "fixed": (0.1, 0.2, 0.3, 0.4)}, None, 0),
        ({"weights": "uniform"}, 0.25, None),
    ],
)
def test_laws_of_weights(law: dict[str, object], mean: float | None, variance: float | None) -> None:
    """Mean and variance of Dirichlet(α, α, α, α) are 1/4 and (3/16) / (4α + 1)."""
    mixer, seeds = MaskMix(MixSettings(**law)), prepare([cloud(0)])
    weights = np.array([mixer.recipe(seeds, index, seed=11)[1].weights for index in range(4000)])
    np.testing.assert_allclose(weights.sum(1), 1)
    if mean is None:
        np.testing.assert_allclose(weights, np.tile(law["fixed"], (4000, 1)))  # type: ignore[arg-type]
    else:
        np.testing.assert_allclose(weights.mean(0), mean, atol=0.015)
    if variance is not None:
        np.testing.assert_allclose(weights.var(0), variance, rtol=0.12, atol=1e-12)


def test_operations_are_drawn_evenly() -> None:
    mixer, seeds = MaskMix(), prepare([cloud(0)])
    drawn = [mixer.recipe(seeds, index, seed=2)[1] for index in range(1500)]
    names = [step.op for recipe in drawn for branch in recipe.branches for step in branch]
    assert len(names) == 1500 * 9
    for name in ("translate", "shear", "rotate"):
        assert abs(names.count(name) / len(names) - 1 / 3) < 0.02
    along_x = [step.x != 0 for r in drawn for branch in r.branches for step in branch if step.op == "shear"]
    assert abs(np.mean(along_x) - 0.5) < 0.03


def test_one_setting_changes_the_numbers_of_no_other() -> None:
    seeds = prepare([cloud(0)])
    _, plain = MaskMix(MixSettings()).recipe(seeds, 4, seed=9)
    _, other = MaskMix(MixSettings(depth=5, branches=2, alpha=2.0)).recipe(seeds, 4, seed=9)
    assert (plain.turn, plain.move, plain.factor) == (other.turn, other.move, other.factor)
    assert [branch[:3] for branch in other.branches] == list(plain.branches[:2])


def test_draws_that_give_the_seed_back_can_be_left_out() -> None:
    mask = cloud(0)
    loose = {"area": None, "alpha": 0.3}
    kept = MaskMix(MixSettings.bare(keep_seed=True, **loose)).batch([mask], range(200), seed=1)
    same = (kept.masks == mask).all((1, 2))
    assert 20 < same.sum() < 100
    fresh = MaskMix(MixSettings.bare(keep_seed=False, **loose)).batch([mask], range(200), seed=1)
    assert not (fresh.masks == mask).all((1, 2)).any()
    assert (fresh.masks[~same] == kept.masks[~same]).all()
    assert fresh.attempts[same].min() > 1


def test_every_seed_mask_is_drawn() -> None:
    mixed = MaskMix().batch([cloud(n) for n in range(7)], range(300), seed=0)
    assert np.bincount(mixed.seeds, minlength=7).min() > 20


def test_no_branch_places_the_seed_only() -> None:
    """The paper's test masks: rotated, shifted, resized, not mixed."""
    seed = cloud(0)
    mixer = MaskMix(MixSettings(branches=0))
    mixed = mixer.batch([seed], range(5), seed=3)
    for index in range(5):
        _, recipe = mixer.recipe([seed], index, seed=3, attempt=int(mixed.attempts[index]))
        assert recipe.weights == (1.0,)
        assert np.count_nonzero(warped(seed, composed(recipe, None), seed.shape) != mixed.masks[index]) <= 3


def test_bool_and_integer_seeds_are_alike_and_a_generator_seeds_too() -> None:
    mixer, seed = MaskMix(), cloud(0)
    assert (mixer(seed.astype(bool), 4, 2) == mixer(seed.astype(np.int64), 4, 2)).all()
    assert (mixer(seed, np.random.default_rng(1)) == mixer(seed, np.random.default_rng(1))).all()
    rng = np.random.default_rng(1)
    assert (mixer(seed, rng) != mixer(seed, rng)).any()
    assert mixer(seed, 0, size=(40, 56)).shape == (40, 56)
    assert mixer(seed, 0).dtype == np.uint8


def test_fit_of_a_frame_and_of_pixels() -> None:
    seed = np.zeros((40, 20), np.uint8)
    seed[10:30, 5:15] = 1
    still = {"branches": 0, "area": None}
    framed = MaskMix(MixSettings.bare(**still))(seed, 0, size=(80, 80))
    assert framed[20:60, 30:50].all()
    assert framed.sum() == 40 * 20
    same = MaskMix(MixSettings.bare(fit="pixel", **still))(seed, 0, size=(80, 80))
    assert same[30:50, 35:45].all()
    assert same.sum() == seed.sum()


def test_an_area_out_of_reach_is_an_error_that_tells_the_best() -> None:
    small = np.zeros((64, 64), np.uint8)
    small[30:34, 30:34] = 1
    mixer = MaskMix(MixSettings(tries=30))
    with pytest.raises(ConfigError, match=r"config/area-unreachable(.|\n)*best area reached: 0\.0") as raised:
        mixer(small, 0)
    assert raised.value.exit_code == 2
    mixed = mixer.batch([small], range(3), seed=0)
    assert not mixed.reached.any()
    assert not mixed.masks.any()
    assert mixed.acceptance == 0


def test_acceptance_is_told() -> None:
    mixed = MaskMix(MixSettings(tries=10_000, resize="random")).batch([cloud(0)], range(50), seed=0)
    assert mixed.acceptance == 50 / mixed.attempts.sum() < 1
    assert math.isnan(MaskMix().batch([cloud(0)], [], seed=0).acceptance)


@pytest.mark.parametrize(
    ("masks", "slug"),
    [
        ([], "no-seed"),
        ([np.zeros((2, 16, 16), np.uint8)], "seed-shape"),
        ([np.zeros((0, 16), np.uint8)], "seed-shape"),
        ([np.zeros((16, 16), np.uint8)], "seed-empty"),
        ([np.ones((16, 16), np.uint8)], "seed-full"),
        ([np.full((16, 16), 255, np.uint8)], "seed-values"),
        ([-np.eye(16, dtype=np.int8)], "seed-values"),
        ([np.eye(16)], "seed-values"),
    ],
)
def test_seeds_that_cannot_be_used(masks: list[np.ndarray], slug: str) -> None:
    with pytest.raises(InputError, match=f"^input/{slug}:"):
        prepare(masks)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"area": (0.6, 0.15)}, "the least first"),
        ({"area": (0.15, 1.6)}, "0 to 1"),
        ({"limits": (2, 1)}, "least factor comes first"),
        ({"ops": ((),)}, "at least one operation"),
        ({"ops": (("flip",),)}, "ops"),
        ({"threshold": 0}, "greater than 0"),
        ({"branches": 8}, "less than or equal to 7"),
        ({"rotate": -1}, "greater than or equal to 0"),
        ({"angle": 3}, "Extra inputs"),
    ],
)
def test_settings_are_checked(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixSettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "slug"),
    [
        ({"ops": (("rotate",), ("shear",))}, "ops-per-branch"),
        ({"weights": "fixed"}, "fixed-weights"),
        ({"fixed": (0.25, 0.25, 0.25, 0.25)}, "fixed-weights"),
        ({"weights": "fixed", "fixed": (0.5, 0.5)}, "fixed-weights-sum"),
        ({"weights": "fixed", "fixed": (0.5, 0.5, 0.5, 0.5)}, "fixed-weights-sum"),
        ({"weights": "fixed", "fixed": (0.1, 0.1, 0.1, 0.7), "keep_seed": False}, "seed-only"),
        ({"area": None}, "no-aim"),
    ],
)
def test_settings_that_contradict_each_other(values: dict[str, object], slug: str) -> None:
    with pytest.raises(ConfigError, match=f"^config/{slug}:"):
        MixSettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [8, 5000, (64, 5000)])
def test_sizes_out_of_bounds(size: object) -> None:
    with pytest.raises(ConfigError, match=r"^config/mask-size:"):
        MaskMix()(cloud(0), 1, size=size)  # type: ignore[arg-type]


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (2**63, 0), (0, -1)])
def test_seeds_and_indices_out_of_bounds(seed: int, index: int) -> None:
    with pytest.raises(ConfigError, match=r"^config/mix-seed:"):
        MaskMix()(cloud(0), seed, index)


def test_positions_are_whole_numbers_of_the_same_unit_everywhere() -> None:
    """What a tile holds does not depend on where the mask begins: a shift by whole pixels shifts the result."""
    seed = cloud(5, 200, share=0.4)
    turn = Step("rotate", 17.0)
    near = Recipe(branches=((turn,),), weights=(1.0, 0.0)).apply(seed)
    moved = Recipe(branches=((turn, Step("translate", 37.0, -21.0)),), weights=(1.0, 0.0)).apply(seed)
    assert FRACTION >= 16
    assert np.count_nonzero(near[21:, :-37] != moved[:-21, 37:]) <= 3
