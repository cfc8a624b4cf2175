"""Every tuned number of the measurement: one frozen value for each stage, in the order that an image meets them."""

from __future__ import annotations

from dataclasses import dataclass

DISTORTIONS = {"none": 0.002, "typical": 0.01, "strong": 0.03}
"""Standard deviation of the strain that instruments put on a lattice, by name."""


@dataclass(frozen=True)
class LatticeOptions:
    """Constants of the lattice search; set on images of our three families, clean and degraded, of known lattice.

    Attributes:
        min_overlap: shifts are used while at least this fraction of the image overlaps itself.
        blur: standard deviation in pixels of the smoothing before the autocorrelation. It takes away what a pattern
            loses between pixels, which else makes a coarse lattice of whole pixels look better than the true one.
        pseudo: translations that correlate less than the lattice's own by more than this part are none.
        allowance: the same, more for images of which less repeats.
        errors: standard errors of a deficit within which it is none.
        doubt: times the allowance, up to which a finer lattice is taken where the error of its deficit leaves it open.
        near_best: candidates score at least this part of the best one's.
        vectors: of peaks of at least this part of the highest, so many of the nearest give candidates.
        lattices: candidates that are refined.
        pixels: standard error of a lattice vector's coordinates, in pixels, that sampling alone leaves.
        fewest: translations that can be compared with one another.
        floor: mean correlation of translations that shows something.
        worst: least tenth of the translations over their mean, or they do not hold alike.
    """

    min_overlap: float = 0.12
    blur: float = 1.0
    pseudo: float = 0.05
    allowance: float = 0.15
    errors: float = 3.5
    doubt: float = 1.5
    near_best: float = 0.94
    vectors: tuple[tuple[float, int], ...] = ((0.85, 16), (0.6, 24))
    lattices: int = 12
    pixels: float = 0.005
    fewest: int = 4
    floor: float = 0.03
    worst: float = 0.6


@dataclass(frozen=True)
class ChoiceOptions:
    """When one look is enough, and which of several counts; set on images of our families and on micrographs.

    Attributes:
        many: cells, from which a fair score is enough: a fault across the image joins a dozen or two to one.
        score: of the image repeats, with many cells.
        few_score: the same, with few.
        fine: pixels: side of a cell below which the blur may hide it, so that the sharp image is looked at.
        steady: mean over spread of the translations, from which many cells are enough at any score.
        few_steady: the same, with few, at the score that does for many: of the images whose first look a further one
            outdid none reached 17; patterns without noise reach 40 and more.
        expected: mean over spread of the translations of a lattice that is expected, with which it is taken.
        steadier: so many times as steady, a further look counts more than the first.
        smallest_part: pixels along the side of a part.
        rows: share of the power along one line of frequencies, from which the image is looked at without it.
        nearly_all: pixels known, with which the image is cut into parts like a whole one.
    """

    many: float = 40.0
    score: float = 0.85
    few_score: float = 0.95
    fine: float = 12.0
    steady: float = 6.0
    few_steady: float = 35.0
    expected: float = 5.0
    steadier: float = 1.5
    smallest_part: int = 48
    rows: float = 0.6
    nearly_all: float = 0.9


@dataclass(frozen=True)
class IndexingLimits:
    """What counts as indexed; set on the sweep of ``eval/spectral_peaks.py``.

    Attributes:
        bins: distance, in bins of one over the side, at which a peak still is at a point of the reciprocal lattice.
        bend: the same as a part of the frequency, where a scan drifts.
        fitted: peaks that the lattice is fitted to, at most.
        aliases: cycles per pixel up to which folded harmonics are looked for.
        envelope: times that a folded harmonic may exceed what the lattice's other peaks promise.
        tried: peaks of which two may span a lattice.
        near: bins within which a lattice of their own has to meet peaks.
    """

    bins: float = 0.6
    bend: float = 0.012
    fitted: int = 40
    aliases: int = 6
    envelope: float = 4.0
    tried: int = 10
    near: float = 0.35


@dataclass(frozen=True)
class PeakLimits:
    """What counts as a peak, and what as off the lattice; set on the sweep of ``eval/spectral_peaks.py``.

    Attributes:
        sharp: height over the background of a peak; noise reaches 17 in one of a thousand images.
        least: power of a peak as a part of the lattice's, below which it is ignored.
        strongest: most peaks that are examined.
        skirt: bins around a stronger peak in which a weaker one is taken for a part of it.
        weaker: part of the stronger peak's power below which it is.
        explained: part of the power that a second lattice has to index.
        plain: cells of the lattice in one of a superlattice; a larger one may be there by chance, so that a lattice of
            the peaks' own is preferred if it has a smaller cell.
        simpler: times that its cell must be smaller.
        exact: height over the background from which a peak's place is known to a tenth of a bin.
        alone: the same from which one peak that is off its point shows another lattice; a lower one may be drawn aside
            by a wave beside it, such as those of the blocks of a JPEG file.
        finest: cycles per pixel beyond which folded harmonics are mixed up with the lattice's own.
        misfit: root mean square distance of the peaks from the lattice, in bins, that a lattice has at most.
        precision: the same as a multiple of what the background around the peaks may do.
        broadest: times that a mask may broaden the peaks; in a narrower part they run into each other, so that nothing
            is said.
        few: cells, below which a lattice has a point near any wave, so that less is allowed.
        stricter: part of both that is allowed then; lattices of few cells miss by .02 bins, quasicrystals by .11.
        by_chance: probability of one peak to be so near a point, above which they may be there by chance: 2e-3 and more
            for quasicrystals and lattices laid over one another, 2e-4 for crystals side by side, 6e-5 for an image
            whose pixels were resampled without interpolation.
        borne_out: part of what peaks off their points must leave that the averaged cell leaves, or they are only
            smeared; of patterns in perspective it is at most a sixth, of incommensurate ones about the whole.
        envelope: periods over the image, up to which satellites are those of a part that it fills, and no modulation.
        colour: part of the variance of all colours, from which a component is looked at besides the first.
    """

    sharp: float = 30.0
    least: float = 1.5e-3
    strongest: int = 64
    skirt: float = 3.5
    weaker: float = 0.15
    explained: float = 0.8
    plain: float = 9.5
    simpler: float = 3.0
    exact: float = 100.0
    alone: float = 1000.0
    finest: float = 0.35
    misfit: float = 0.08
    precision: float = 3.0
    broadest: float = 1.3
    few: float = 12.0
    stricter: float = 0.5
    by_chance: float = 1e-4
    borne_out: float = 0.5
    envelope: float = 3.0
    colour: float = 0.1


@dataclass(frozen=True)
class ChanceLimits:
    """When a smaller cell counts than the one found.

    Set on 180 drawn lattices whose motifs are out of place, and on 390 degraded images of our families.

    Attributes:
        repeats: of the image, below which the cell may be larger than it should be.
        largest: cells that the image shows in the one that was found, at most.
        coarse: cycles per pixel up to which waves are looked at: finer ones of disorder and noise say nothing.
        shown: what the halves of the repeats share beyond the smaller cell, over its error, from which the larger one
            is shown; of disordered lattices the most was 6.2.
        sharp: height over the background from which a wave is a peak; noise reaches 17 in one of a thousand images.
        most: part of all that the halves share that may lie beyond: of disordered lattices .07 at most, beyond part of
            a noisy cell .09 and more.
        seen: what the smaller cell holds of it, over its error: of disordered lattices 16 and more, of mere noise 8.
        strongest: waves beyond that are asked whether they are peaks.
    """

    repeats: float = 0.4
    largest: int = 32
    coarse: float = 0.25
    shown: float = 8.0
    sharp: float = 30.0
    most: float = 0.08
    seen: float = 12.0
    strongest: int = 12


@dataclass(frozen=True)
class WeakLimits:
    """What counts as a superstructure of weak waves.

    Set on images of noise, and on clean and noisy images of our families: of 720 none is said to have one.

    Attributes:
        least: part of the image's variance.
        certain: times its error, which is what the halves differ by; of 1,100 in noise the most was 5.0.
        worth: part of the least, seen in the folded spectrum, from which averages are made.
        within: part of what a larger cell adds, in the smallest such cell.
        fewest: of the n x n cells, in each half.
        parts: of a reciprocal vector, in the folded spectrum.
        reach: part of the way from one wave to the next that is around it.
        folded: bins of one over the side: so near to a folded harmonic, a wave may be one.
        finer: bins of the spectrum that is folded to tell what stands out, for each cell in the image.
        coarsest: such bins along a reciprocal vector, at least.
        finest: the same at most.
        beside: of these bins around a wave.
        beyond_chance: times the quartiles' distance, above the median, from which a superlattice's wave stands out. Of
            superlattices on drawn crystals 27 and more; of colloids, random tiles, stains and text 17 at most.
        least_long: of the lattice's shortest wave vector, from which long waves are compared with others as long.
        most_long: the same, up to which.
        far_beyond_chance: as ``beyond_chance``, of these: of a clean superstructure 1,500, of text over a pattern 170
            at most.
    """

    least: float = 5e-3
    certain: float = 7.0
    worth: float = 0.8
    within: float = 0.7
    fewest: float = 2.0
    parts: int = 24
    reach: float = 0.42
    folded: float = 0.6
    finer: float = 2.25
    coarsest: int = 8
    finest: int = 96
    beside: float = 1.5
    beyond_chance: float = 27.0
    least_long: float = 0.25
    most_long: float = 2.5
    far_beyond_chance: float = 300.0


@dataclass(frozen=True)
class OverlaidLimits:
    """When a wave is laid over a pattern that has a smaller cell.

    The first three were set on 12 cells that hum had joined and on 440 clean and noisy patterns and superstructures;
    the others on 56 humming patterns, an anatase whose own fringe is strong, the dimer rows of Si(100), and the
    quasicrystals and pairs of lattices of ``equisym.data.situations``.

    Attributes:
        fewest: copies of the smaller cell; two are more likely a superstructure.
        alone: of what the smaller cell loses, in the one wave; of hum all, of superstructures .56 at most.
        across: of what it keeps, off that wave's line and off the strongest of the others: with hum .4 and more; less
            if the pattern is nearly of stripes, to which any wave adds a direction.
        significant: of the wave's power, in another of the lost ones off its line: the wave is the pattern's own then.
        sharp: height over the background of a wave that is taken off the image, at least.
        strong: its part of the image's variance, at least.
        tried: waves that are taken off in turn, at most.
        peaks: strongest peaks among which such a wave must have no like.
        alike: part of its length within which another is as long.
        comparable: part of its power from which another is as strong.
        dominant: part of the averaged cell's power in one wave, from which the pattern is looked for without it.
        directions: of the power without the wave, off the two strongest lines of waves: two gratings have none.
    """

    fewest: int = 3
    alone: float = 0.95
    across: float = 0.1
    significant: float = 5e-3
    sharp: float = 300.0
    strong: float = 0.01
    tried: int = 3
    peaks: int = 16
    alike: float = 0.03
    comparable: float = 0.3
    dominant: float = 0.5
    directions: float = 0.02


@dataclass(frozen=True)
class LineOffsetLimits:
    """When the lines of a scan have offsets of their own.

    Set on 1,388 simulated micrographs, 38 of them with offsets, and on the development micrographs.

    Attributes:
        share: of the variance, in offsets that differ from line to line at random; without them at most .04.
        beyond: times that the spectrum at no frequency along x is above that beside it; noise alone has none.
        beside: frequencies along x in cycles over the image, from and up to which that is.
        turns: in which offsets and averaged cell are found.
    """

    share: float = 0.05
    beyond: float = 10.0
    beside: tuple[int, int] = (3, 8)
    turns: int = 4


@dataclass(frozen=True)
class ModulationLimits:
    """When satellites are off the points of a large cell.

    Set on 79 modulated square lattices and 32 with a superstructure.

    Attributes:
        own: bins from a point of the smaller cell's reciprocal lattice, within which a wave is its own.
        slips: periods that satellites drift off over the image, at least: an average loses 5 % of their power then. Of
            superstructures they drift by .05 at most, of modulations by .16 and more, or by .04 and less where a cell
            comes so near that it repeats in this image.
        bent: further periods for each by which the smaller cell's own waves are off.
        known: and for each within which the places of the satellites are known.
    """

    own: float = 1.0
    slips: float = 0.12
    bent: float = 4.0
    known: float = 3.0


@dataclass(frozen=True)
class UnlikeLimits:
    """When motifs with fine strokes differ from repeat to repeat: not at all up to all limits, wholly from half more.

    Set between letters, dice, pipes and halftoned coins on a grid, and alloys, vacancies, changes of a tip,
    micrographs, and images of few counts that were blurred or resampled.

    Attributes:
        correlated: of what the averaged cell leaves, that a pixel farther on shares; letters .25 and more.
        strong: the same over the power of the averaged cell: letters, dice and coins .17 and more, an alloy of 30 %
            .12, two states of a tip .15.
        uneven: variation within the cell of the power of what is left, beside brightness, for its mean: letters .27
            and more; of blurred counts of a strength that counts .21 at most.
        wholly: times the limits, from which motifs differ wholly.
        window: standard deviation of the window in which a displacement is looked for, in lengths over which the cell
            varies; a spot's is its radius.
        placed: part of what is left that displacements explain, up to which motifs count as different: of different
            motifs .11 at most, of discs of different sizes .20.
        displaced: the same, from which they do not: of particles out of place by 3 to 6 % of the cell .24 to .36.
    """

    correlated: float = 0.1
    strong: float = 0.15
    uneven: float = 0.2
    wholly: float = 1.5
    window: float = 2.5
    placed: float = 0.2
    displaced: float = 0.28


@dataclass(frozen=True)
class DomainLimits:
    """What counts as a domain of its own; chosen on ``eval/parts_of_images.py``.

    Attributes:
        cells: of the lattice in a window, along each side.
        most: windows along a side of the image, at most.
        waves: of the lattice that are compared, at most.
        twinned: one less the correlation of two domains that an operation relates, at least.
        different: the same of two that none relates.
        beyond: times that their difference exceeds the spread within either.
        noise: times that it exceeds what noise makes of parts chosen by their difference.
        least: part of the windows in the smaller domain.
        related: part of the difference that an operation of the lattice takes away, if it relates the domains.
        overlaid: part of the difference that is left where a motif, laid on itself shifted, makes the other.
        strain: of the lattice against one that has the operation.
    """

    cells: float = 2.4
    most: int = 5
    waves: int = 16
    twinned: float = 0.03
    different: float = 0.08
    beyond: float = 3.0
    noise: float = 4.0
    least: float = 0.12
    related: float = 0.7
    overlaid: float = 0.5
    strain: float = 0.03


@dataclass(frozen=True)
class FaultLimits:
    """What counts as a planar fault; chosen on ``eval/parts_of_images.py``.

    Attributes:
        cells: standard deviation of the window, in cells.
        points: along a side, at most.
        waves: of the lattice, at most.
        angles: of lines that are tried.
        offsets: of lines at each angle.
        least: part of the image on the smaller side.
        loss: part of the waves' power that a single phase leaves unexplained, at least, if there is a shift.
        sharp: part of that which two phases, one on either side, may leave.
        shift: of the pattern, as a part of the cell's shorter vector, at least.
        agree: correlation of the waves' phase jumps with those of one shift, at least.
        step: in brightness, in standard deviations of the image, at least.
        plain: part of the variation in brightness that a step may leave.
        rough: part of what a quadratic trend leaves of it that a step may leave.
    """

    cells: float = 1.5
    points: int = 24
    waves: int = 8
    angles: int = 24
    offsets: int = 33
    least: float = 0.12
    loss: float = 0.06
    sharp: float = 0.25
    shift: float = 0.06
    agree: float = 0.85
    step: float = 0.3
    plain: float = 0.35
    rough: float = 0.7


@dataclass(frozen=True)
class PerspectiveOptions:
    """How a perspective is looked for; set on patterns drawn with 3 to 12 %, of two waves to hard-edged lines.

    Attributes:
        side: pixels, to which larger images are reduced at most twofold beyond.
        largest: magnification from edge to edge, less one, on either side of none.
        periods: over the image, of the finest waves that are looked at, from round to round.
        samples: of one of the finest waves, to which the image is reduced in each round; with 4, fewer of 90 drawn
            perspectives were found to 2 %.
        steps: values of a and of b that are tried in each round.
        closer: times that they are closer from round to round.
        ring: outer over middle radius of the rings whose mean power the waves are measured by.
        anew: values of a and of b that the second round tries over the whole range again: of 68 patterns drawn with 3
            to 11 %, half of 20 repeats and more, 59 were found without and 68 with them.
        least: perspective that is worth removing.
        small: perspectives that are tried first, and
        straight: times that the finest waves are sharper without them in an image that has none; 1.019 and more in 11
            straight patterns of our families, .96 and less in 26 drawn with 3 to 11 %.
        doubt: of the image repeats, below which a perspective is looked for.
        steady: mean over spread of the translations, up to which one is looked for: of patterns with 3 % and more it
            is 3 to 20, of noisy ones without perspective 9 to 120.
        shown: of the image repeats at the first look without it, at least, with ``cells``, or no further looks follow:
            in each of 160 drawn patterns of which more repeats without a perspective it is .28 and more.
        cells: of the lattice that this look shows; in those patterns 17 and more. Fewer than four are refused. Of 46
            photographs and images of filtered noise, two show as many with that much repeating.
        bent: of what the averaged cell leaves, that repeats from cell to cell, from which on a perspective is looked
            for whatever else holds; with a perspective of 6 % and more it is .41 and more, of noise .04 at most.
        gain: of the image that repeats more without it, at least, or
        clearer: of the image that the average explains more, at least.
    """

    side: int = 256
    largest: float = 0.12
    periods: tuple[float, ...] = (12.0, 30.0, 80.0)
    samples: int = 8
    steps: int = 7
    closer: float = 3.0
    ring: float = 1.25
    anew: int = 11
    least: float = 0.008
    small: tuple[float, ...] = (0.008, 0.03)
    straight: float = 1.01
    doubt: float = 0.9
    steady: float = 30.0
    shown: float = 0.2
    cells: float = 4.0
    bent: float = 0.4
    gain: float = 0.03
    clearer: float = 0.1


@dataclass(frozen=True)
class PosteriorOptions:
    """Constants of the posterior, set on clean and degraded images of our families and on 27 micrographs.

    Attributes:
        tolerance: share of the cell's power that instruments may take from a symmetry: groups that leave more are
            unlikely whatever else holds.
        distortion: standard deviation of the strain that instruments put on a lattice.
        surprise: nats by which a group gains on its subgroup of half the order where both hold alike: how unlikely
            it is that a pattern without the further operations has them within the tolerance.
        steepness: power of the residual over the tolerance with which the gain is lost.
        marks: residuals between which the least broken group of an image must lie to show that its instrument deviates.
        leeway: times the tolerance that counts in such an image. Where an instrument deviates it breaks every group a
            little; where one group holds exactly, what the others leave is the pattern's own.
        sound: times the tolerance that counts where a rotation of order 3 or more holds exactly, which every deviation
            of an instrument would break.
        wall: beyond the tolerance, each such part of it costs a group as much again as half its order gains.
        imperfect: of the image does not repeat: from there on the whole distortion counts.
        rigid: share of the distortion that counts in a perfect image: what has no noise either has not come through
            an instrument.
        telling: standard deviation of the strain for a group that holds where the whole symmetry of its lattice does
            not: only a motif of that group does so, however its lattice is strained, while round spots have every
            operation of any lattice.
        special: nats by which a metric gains for each constraint that it meets and need not.
        wild: chance of a distortion beyond the usual, in an imperfect image.
        wide: standard deviation of its strain.
        stretched: chance that a perfect image was distorted as much as an instrument does: by a page, a screen, a
            resampling; the answer at stake is then not sure. Set by hand, for no share of such images is known.
        true: chance that a lattice 5 % and more from a special one is what it seems: with it no answer that rests on
            such a strain is sure (p < 0.8). Set by hand, for no share of such crystals is known.
        bad: chance that an instrument distorts badly, in an imperfect image: of 19 scans, five are strained by 5 % and
            more.
        badly: standard deviation of the strain then.
        far: times the distortion, beyond which the strain that a group needs is unusual. Set on PbTiO3 and rutile in
            noise, which were p4m at .96 with 3.1 % and p6m at .85 with 5 %. It costs certainty where an instrument
            did distort: a scan of Si(111) 7 x 7, right at .90, is at .75.
        at_most: the probability of such a group, so that it is never sure.
        largest: strain beyond which a lattice is another, not a distorted one.
        unlike: chance that an average of motifs that differ from repeat to repeat says nothing of any of them. Set by
            hand, so that no such answer is sure.
        uneven: chance that an imperfect image deviates by up to twice the tolerance: things that are made by hand, or
            lit from a side. Of 11 photographs and micrographs, collected for judgement, of which twice the tolerance
            would have changed the answer, it would have mended three and spoilt four.
        literal: chance that what the other groups leave of a perfect image is the pattern's own where one group holds
            exactly. With it half as many wrong answers are sure, of 509 drawings and of 2,100 clean and degraded images
            of our families, and 1 % fewer of the right ones.
        excused: part of that chance that an imperfect image loses: an instrument may have done it.
        strict: tolerance of that reading: what pixels may take of a drawing.
        copied: chance that what tells the copies of a smaller cell apart is dirt, light or chance that a picture shows
            and that was repeated with it, where the larger cell has two operations at most. Of 12 such pictures,
            collected for judgement, the smaller cell had the group that was seen by eye in seven; of 11 whose larger
            cell has more operations, in two.
        beyond: share of the power in a superstructure outside of the cell, from which the answer is not sure: what the
            cell leaves out may have another symmetry. A second lattice is refused from 3 %; superstructures whose
            cells are too large or too weak to be measured hold less than 10 %, a scan whose retrace is displaced by
            2 pixels 17 to 33 %.
        outside: chance that the group says nothing then.
    """

    tolerance: float = 0.05
    distortion: float = DISTORTIONS["typical"]
    surprise: float = 6.0
    steepness: float = 2.0
    marks: tuple[float, float] = (0.004, 0.03)
    leeway: float = 1.3
    sound: float = 0.8
    wall: float = 0.1
    imperfect: float = 0.2
    rigid: float = 0.15
    telling: float = 0.0075
    special: float = 2.0
    wild: float = 0.01
    wide: float = 0.04
    stretched: float = 0.25
    true: float = 0.3
    bad: float = 0.3
    badly: float = 0.06
    far: float = 2.5
    at_most: float = 0.75
    largest: float = 0.12
    unlike: float = 0.5
    uneven: float = 0.2
    literal: float = 0.35
    excused: float = 0.4
    strict: float = 0.015
    copied: float = 0.4
    beyond: float = 0.1
    outside: float = 0.3
