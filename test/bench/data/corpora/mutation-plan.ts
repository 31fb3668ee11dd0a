import { randomFrom } from '../../../support/random.js';

/** A regular file of a corpus, by its path below the corpus's folder. */
export interface CorpusFile {
  readonly path: string;
  readonly bytes: number;
}

/** Content that is put into a file: at `at`, `removes` bytes make room for the stamp. */
export interface Edit {
  readonly path: string;
  readonly at: number;
  readonly removes: number;
  readonly stamp: string;
}

/** A new file: the stamp, then the content of another one. */
export interface Addition {
  readonly path: string;
  readonly of: string;
  readonly stamp: string;
}

/** What becomes of many small files from one backup to the next. */
export interface FilesPlan {
  readonly edits: readonly Edit[];
  readonly additions: readonly Addition[];
  readonly deletions: readonly string[];
  readonly renames: readonly { readonly path: string; readonly to: string }[];
}

/** Regions of large files that are overwritten; `bytes` from a multiple of it on. */
export interface RegionsPlan {
  readonly seed: number;
  readonly bytes: number;
  readonly regions: readonly { readonly path: string; readonly offset: number }[];
}

const EDITED = 0.01;
const ADDED = 0.005;
const DELETED = 0.005;
const RENAMED = 0.005;
const OVERWRITTEN = 0.01;
const REGION_BYTES = 2 ** 20;
/** Most edits are inside of a file, the others at its end. */
const INSIDE = 0.7;
const INSIDE_BYTES_MIN = 64;

/**
 * 1 % of the files edited, 0.5 % each added, deleted and renamed; at least one of each. Files and
 * seed determine it; no file is named twice. Throws where there are too few files for that.
 */
export function planFiles(files: readonly CorpusFile[], seed: number): FilesPlan {
  const random = randomFrom(seed);
  const counts = [EDITED, ADDED, DELETED, RENAMED].map((share) =>
    Math.max(1, Math.floor(files.length * share)),
  );
  const chosen = choose(files, { count: counts.reduce((sum, one) => sum + one, 0), random });
  const [edited, copied, deleted, renamed] = counts.map((count) => chosen.splice(0, count));
  const stamp = () => `changed ${seed} ${Math.floor(random() * 2 ** 32).toString(16)}\n`;
  return {
    edits: edited!.map((file) => edit(file, stamp(), random)),
    additions: copied!.map(({ path }, n) => ({
      path: `${folderOf(path)}added-${seed}-${n}`,
      of: path,
      stamp: stamp(),
    })),
    deletions: deleted!.map(({ path }) => path),
    renames: renamed!.map(({ path }) => ({ path, to: `${path}.renamed-${seed}` })),
  };
}

/** 1 % of the whole mebibytes of each file, at least one; files that are smaller are left alone. */
export function planRegions(files: readonly CorpusFile[], seed: number): RegionsPlan {
  const random = randomFrom(seed);
  const regions = files.flatMap(({ path, bytes }) => {
    const all = Array.from({ length: Math.floor(bytes / REGION_BYTES) }, (_, n) => n);
    const count = Math.min(all.length, Math.max(1, Math.floor(all.length * OVERWRITTEN)));
    return choose(all, { count, random })
      .sort((a, b) => a - b)
      .map((region) => ({ path, offset: region * REGION_BYTES }));
  });
  return { seed, bytes: REGION_BYTES, regions };
}

function edit({ path, bytes }: CorpusFile, stamp: string, random: () => number): Edit {
  const inside = bytes > INSIDE_BYTES_MIN && random() < INSIDE;
  const at = inside ? Math.floor(random() * bytes) : bytes;
  // What follows moves: half of the stamp is new, half takes the place of something.
  return { path, at, removes: Math.min(bytes - at, stamp.length >> 1), stamp };
}

/** So many different ones, in the order of chance. */
function choose<T>(
  from: readonly T[],
  { count, random }: { readonly count: number; readonly random: () => number },
): T[] {
  if (count > from.length) throw new Error(`${from.length} are too few to choose ${count} of.`);
  const all = [...from];
  for (let n = 0; n < count; n += 1) {
    const other = n + Math.floor(random() * (all.length - n));
    [all[n], all[other]] = [all[other]!, all[n]!];
  }
  return all.slice(0, count);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}
