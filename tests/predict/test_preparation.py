"""Regions, flattening and rectification, each undone from something that was done on purpose."""

import numpy as np
import pytest

from equisym.predict import Region, flatten, rectify

Y, X = np.mgrid[:160, :200]
ATOMS = np.cos(2 * np.pi * X / 9) + np.cos(2 * np.pi * Y / 7)


def test_a_polygon_holds_what_is_inside():
    region = Region.parse("10,10 60,10 60,40 10,40")
    part = region.cut(ATOMS)
    np.testing.assert_array_equal(part, ATOMS[10:40, 10:60])
    assert region.in_cut(ATOMS.shape).mask(part.shape).mean() > 0.95
    triangle = Region.parse("0,0 100,0 0,100").mask(ATOMS.shape)
    assert triangle.sum() == pytest.approx(5000, abs=110)
    assert triangle[5, 5]
    assert not triangle[60, 60]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2",
        "1,2,3",
        "1,2,0,5",
        "1,2 3,4",
        "a,b,c,d",
        "1,2 3,4 5",
        "nan,0,9,9",
        "0,0 1e300,0 0,9",
        "1,2,3 3,4,5 5,9,1",
    ],
)
def test_what_is_no_region(text):
    with pytest.raises(ValueError, match="roi must be"):
        Region.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("300,10,20,20", "roi lies outside the image of 200 x 160 pixels: x 300 to 320, y 10 to 30"),
        ("-30,-30,20,20", "roi lies outside the image of 200 x 160 pixels: x -30 to -10, y -30 to -10"),
        ("10,200 50,200 30,300", "roi lies outside the image of 200 x 160 pixels: x 10 to 50, y 200 to 300"),
        ("199,10,20,20", "roi has less than 2 pixels along a side in the image of 200 x 160 pixels: x 199 to 219"),
        ("-50,30 -50,-50 30,-50", "roi holds no pixel of the image of 200 x 160"),
        ("10,10 20,20 30,30", "roi holds no pixel of the image of 200 x 160"),
    ],
)
def test_a_region_outside(text, words):
    with pytest.raises(ValueError, match=words):
        Region.parse(text).part(ATOMS)


@pytest.mark.parametrize("text", ["180,-20,40,60", "180,-20 220,-20 220,40 180,40", "-30,-30 100,50 50,100"])
def test_a_region_partly_outside_is_used_and_said(text):
    region = Region.parse(text)
    assert region.part(ATOMS).size == region.cut(ATOMS).size > 0
    assert "roi reaches beyond the image of 200 x 160 pixels: x " in region.note(ATOMS.shape)


@pytest.mark.parametrize("text", ["0,0,200,160", "0,0 200,0 200,160 0,160", "-0.4,-0.4 199.5,0 100,160.3"])
def test_a_region_within_needs_no_word(text):
    assert Region.parse(text).note(ATOMS.shape) is None


def test_planes_lines_and_terraces_are_taken_off():
    random = np.random.default_rng(0)
    np.testing.assert_allclose(flatten(ATOMS + 0.3 * X - 0.1 * Y + 7, "plane"), ATOMS, atol=0.05)
    lines = flatten(ATOMS + 0.3 * X + random.normal(0, 3, (160, 1)), "lines")
    assert np.corrcoef((lines - lines.mean(1, keepdims=True)).ravel(), (ATOMS - ATOMS.mean(1, keepdims=True)).ravel())[
        0, 1
    ] == pytest.approx(1, abs=2e-3)
    terraces = 12.0 * (X + 0.3 * Y > 70) + 12.0 * (X - 0.2 * Y > 140)
    flat = flatten(ATOMS + terraces + 0.05 * X, "steps")
    assert np.corrcoef(flat.ravel(), ATOMS.ravel())[0, 1] > 0.85
    assert np.corrcoef(flatten(ATOMS + terraces, "plane").ravel(), ATOMS.ravel())[0, 1] < 0.6


def test_a_wall_seen_at_an_angle_is_made_upright():
    corners = np.array([(20.0, 15.0), (170.0, 30.0), (185.0, 150.0), (10.0, 120.0)])

    upright = rectify(ATOMS, corners)
    for place, corner in zip(((0, 0), (0, -1), (-1, -1), (-1, 0)), corners, strict=True):
        x, y = corner.astype(int)
        assert upright[place] == pytest.approx(ATOMS[y, x], abs=1e-3)
    # straight lines stay straight, so the diagonals of the rectangle cross where those of the figure do
    places = np.stack((X, Y), -1).astype(float)
    horizontal, vertical = (rectify(places[..., i], corners) for i in (0, 1))
    a, b, c, d = corners
    crossing = a + np.linalg.solve(np.stack((c - a, d - b), 1) * (1, -1), b - a)[0] * (c - a)
    rows, columns = upright.shape
    middle = [
        np.mean([v[rows // 2 - k, columns // 2 - j] for k in (0, 1) for j in (0, 1)]) for v in (horizontal, vertical)
    ]
    np.testing.assert_allclose(middle, crossing, atol=1.0)


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        ([(0, 0), (0, 50), (50, 50), (50, 0)], "clockwise"),
        ([(0, 0), (50, 0), (10, 10), (0, 50)], "convex"),
        ([(0, 0), (500, 0), (500, 50), (0, 50)], "must lie in the image"),
    ],
)
def test_corners_that_make_no_wall(corners, words):
    with pytest.raises(ValueError, match=words):
        rectify(ATOMS, np.array(corners, float))


def test_two_clicks_on_a_reduced_preview_are_a_region():
    from types import SimpleNamespace

    from equisym.predict.web import _corner

    first, said = _corner(None, 3, SimpleNamespace(index=(50, 20)))
    assert (first, said) == ((150, 60), "150,60 ... click the opposite corner")
    assert _corner(first, 3, SimpleNamespace(index=(10, 45))) == (None, "30,60,120,75")
