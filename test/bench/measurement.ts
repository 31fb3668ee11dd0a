import { writeFileSync } from 'node:fs';

/** One figure with what it is to be compared with, all from the same run. */
export interface Measurement {
  readonly measure: string;
  readonly unit: string;
  readonly ours: number;
  /** What others (a peer, a limit) take for the same. */
  readonly peers: Readonly<Record<string, number>>;
  /** Ours divided by the best peer that it is compared with; null where there is none. */
  readonly ratio: number | null;
  /** In words, as the issue or the documentation has it; `-` where there is none. */
  readonly goal: string;
  /** null where there is no goal, or nothing to compare with. */
  readonly met: boolean | null;
}

export interface Goal {
  readonly text: string;
  readonly reached: (ours: number, ratio: number | null) => boolean | null;
}

export interface Measured {
  readonly measure: string;
  readonly unit: string;
  readonly ours: number;
  readonly peers?: Readonly<Record<string, number>>;
  /** Those of the peers that ours is compared with. Default: all. */
  readonly against?: readonly string[];
}

export function measurement(what: Measured, goal: Goal): Measurement {
  const peers = what.peers ?? {};
  const against = what.against ?? Object.keys(peers);
  const best = Math.min(...against.flatMap((name) => peers[name] ?? []));
  const ratio = Number.isFinite(best) && best > 0 ? what.ours / best : null;
  const { measure, unit, ours } = what;
  return { measure, unit, ours, peers, ratio, goal: goal.text, met: goal.reached(ours, ratio) };
}

/** At most this much of the unit. */
export function atMost(limit: number, unit: string): Goal {
  return { text: `at most ${limit} ${unit}`, reached: (ours) => ours <= limit };
}

/** Less than this much of the unit. */
export function below(limit: number, unit: string): Goal {
  return { text: `below ${limit} ${unit}`, reached: (ours) => ours < limit };
}

/** For a figure that stands beside others. */
export const NO_GOAL: Goal = { text: '-', reached: () => null };

/** At most this share of the best of what stands beside it. */
export function atMostOf(share: number, whom = 'the best'): Goal {
  return {
    text: `at most ${Number(share.toFixed(2))} of ${whom}`,
    reached: (_, ratio) => (ratio === null ? null : ratio <= share),
  };
}

/** At least this share of what stands beside it. */
export function atLeastOf(share: number): Goal {
  return {
    text: `at least ${share} of it`,
    reached: (_, ratio) => (ratio === null ? null : ratio >= share),
  };
}

/** At least so many times what stands beside it. */
export function atLeastTimes(times: number): Goal {
  return {
    text: `at least ${times} times it`,
    reached: (_, ratio) => (ratio === null ? null : ratio >= times),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Prints the table, and writes the figures where `--json FILE` asks for them. */
export function report(measurements: readonly Measurement[], jsonFile: string | undefined): void {
  const rows = measurements.map((one) => [
    one.measure,
    `${number(one.ours)} ${one.unit}`,
    Object.entries(one.peers)
      .map(([name, value]) => `${name} ${number(value)}`)
      .join(', ') || '-',
    one.ratio === null ? '-' : number(one.ratio),
    one.goal,
    one.met === null ? '' : one.met ? 'met' : 'MISSED',
  ]);
  const table = [['MEASURE', 'OURS', 'BESIDE', 'RATIO', 'GOAL', ''], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  for (const row of table) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  }
  if (jsonFile) writeFileSync(jsonFile, `${JSON.stringify(measurements, null, 2)}\n`);
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}
