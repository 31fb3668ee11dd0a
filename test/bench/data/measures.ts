import {
  atMost,
  atMostOf,
  type Goal,
  type Measurement,
  measurement,
  NO_GOAL,
} from '../measurement.js';
import type { CorpusName } from './corpora/corpora.js';
import { STEPS, type Step } from './data-tool.js';
import { type Figures, STORED_AFTER } from './figures.js';

export const OURS = 'holdfast';
/** The same on volumes that deduplicate. */
export const OURS_DEDUP = 'holdfast-dedup';
const ALL_OURS = [OURS, OURS_DEDUP];
/** Goals go by the fastest of these in the same run; what else stands beside them is for orientation. */
const RIVALS = ['Bacula', 'restic', 'borg'];

/** How much of the fastest rival's time ours may take. */
const SHARES: Readonly<Record<CorpusName, Readonly<Partial<Record<Step, number>>>>> = {
  small: {
    full: 0.4,
    'nothing changed': 1 / 2,
    changed: 1 / 3,
    restore: 0.6,
    list: 1,
    find: 1,
    verify: 1 / 3,
    duplicate: 1 / 5,
    'duplicate across': 1 / 2,
  },
  large: { full: 1 / 2, changed: 1 / 3, restore: 1 / 2 },
  'small-sample': {},
  'large-sample': {},
};
const STORED_SHARE = 1.15;
export const STORED_LIKE = 'restic';
const PEAK_MIB_MAX = 400;

/** The rows of a corpus: time and CPU of each step, what is stored, memory. None without ours. */
export function measuresOf(corpus: CorpusName, all: readonly Figures[]): Measurement[] {
  const figures = all.filter((one) => one.corpus === corpus);
  return ALL_OURS.flatMap((ours) =>
    rowsOf(corpus, { ours, figures: figures.filter(({ tool }) => isOf(tool, ours)) }),
  );
}

/** One of ours does not stand beside the other. */
function isOf(tool: string, ours: string): boolean {
  return tool === ours || !ALL_OURS.includes(tool);
}

interface Side {
  readonly ours: string;
  readonly figures: readonly Figures[];
}

function rowsOf(corpus: CorpusName, { ours, figures }: Side): Measurement[] {
  const row = new Row(figures, ours);
  const name = ours === OURS_DEDUP ? `${corpus}, deduplicated` : corpus;
  const seconds = STEPS.flatMap((step) => {
    const share = SHARES[corpus][step];
    const goal = share === undefined ? NO_GOAL : atMostOf(share);
    return [
      ...row.of(`${name}: ${step}`, 's', goal, (one) => one.seconds(stepOf(one, step))),
      ...row.of(`${name}: ${step}, CPU`, 's', NO_GOAL, (one) => one.cpuSeconds(stepOf(one, step))),
    ];
  });
  const stored = STORED_AFTER.flatMap((after) =>
    row.of(
      `${name}: stored after ${after}`,
      'MB',
      after === 'full' || ours === OURS_DEDUP ? atMostOf(STORED_SHARE, STORED_LIKE) : NO_GOAL,
      (one) => one.storedMegabytes(after),
      [STORED_LIKE],
    ),
  );
  return [
    ...seconds,
    ...stored,
    ...row.of(`${name}: peak memory of the data path`, 'MiB', atMost(PEAK_MIB_MAX, 'MiB'), (one) =>
      one.peakMib(),
    ),
    ...row.of(`${name}: peak memory of all processes`, 'MiB', NO_GOAL, (one) => one.allPeakMib()),
  ];
}

/** Nobody else has a second server of its own: their one way to duplicate stands beside it. */
function stepOf({ tool }: Figures, step: Step): Step {
  return step === 'duplicate across' && !ALL_OURS.includes(tool) ? 'duplicate' : step;
}

class Row {
  constructor(
    private readonly figures: readonly Figures[],
    private readonly ours: string,
  ) {}

  /** One, or none where we have no such figure. */
  of(
    measure: string,
    unit: string,
    goal: Goal,
    value: (figures: Figures) => number | undefined,
    against = RIVALS,
  ): Measurement[] {
    const values = this.figures.flatMap((one) => {
      const figure = value(one);
      return figure === undefined ? [] : [[one.tool, figure] as const];
    });
    const { [this.ours]: ours, ...peers } = Object.fromEntries(values);
    return ours === undefined ? [] : [measurement({ measure, unit, ours, peers, against }, goal)];
  }
}
