import { lstatSync, type BigIntStats } from 'node:fs';
import { dirname } from 'node:path';

import { toPathText } from '#archive/path-text.js';
import { bytePathOf, nativePath, type BytePath } from '../../apps/agent/src/posix/byte-path.js';
import { compareTrees } from '../support/compare-trees.js';

/**
 * A program of its own, so that ctrl-C can end it: compares two trees and prints the differences.
 * Arguments: original, restored, and the time (ms) after which a change of the original is news.
 */
export interface ComparisonResult {
  readonly differences: readonly {
    readonly text: string;
    /** The original was changed after the backup read it: no fault of the backup. */
    readonly changedSince: boolean;
  }[];
  /** Sockets, and what is mounted below: not in a backup, and not compared. */
  readonly leftOut: number;
}

const [original, restored, sinceMs] = process.argv.slice(2);
if (original !== undefined && restored !== undefined) {
  const result = await compare(original, restored, BigInt(sinceMs ?? 0) * 1_000_000n);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function compare(a: string, b: string, sinceNs: bigint): Promise<ComparisonResult> {
  const root = bytePathOf(a);
  const device = statOf(root)?.dev;
  let leftOut = 0;
  const ignore = (path: BytePath): boolean => {
    const stats = statOf(`${root}/${path}`);
    const absent = stats !== undefined && (stats.isSocket() || isMounted(stats, `${root}/${path}`));
    if (absent) leftOut += 1;
    return absent;
  };
  const isMounted = (stats: BigIntStats, path: BytePath): boolean =>
    stats.dev !== device && statOf(dirname(path))?.dev !== device;
  const differences = (await compareTrees(a, b, { ignore })).map((difference) => ({
    text: `${toPathText(difference.path) || '.'}: ${difference.what}: ${difference.a} was backed up as ${difference.b}`,
    changedSince: changedAfter(`${root}/${difference.path}`, sinceNs),
  }));
  return { differences, leftOut };
}

/** Whether the path, or where it is gone the folder that held it, was changed after `sinceNs`. */
function changedAfter(path: BytePath, sinceNs: bigint): boolean {
  const stats = statOf(path) ?? statOf(dirname(path));
  return stats === undefined || stats.ctimeNs > sinceNs;
}

function statOf(path: BytePath): BigIntStats | undefined {
  try {
    return lstatSync(nativePath(path), { bigint: true, throwIfNoEntry: false });
  } catch {
    // Too long a path, for one: the comparison itself goes by short ones.
    return undefined;
  }
}
