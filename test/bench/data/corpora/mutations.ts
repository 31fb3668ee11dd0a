import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { randomFrom } from '../../../support/random.js';
import {
  type CorpusFile,
  type FilesPlan,
  planFiles,
  planRegions,
  type RegionsPlan,
} from './mutation-plan.js';

/** Many small files, or a few large ones: they change in different ways. */
export type CorpusKind = 'files' | 'large';

interface Journal {
  readonly files?: FilesPlan;
  readonly regions?: RegionsPlan;
  /** Modification times of what gets its time back, in seconds. */
  readonly times: Readonly<Record<string, number>>;
}

/**
 * Changes of a folder, one upon the other, that can be undone: originals are moved aside, and what is
 * planned is written down before it is done. So what a run that was killed has changed is undone by
 * the next one.
 */
export class Mutations {
  /**
   * @param folder what changes.
   * @param aside where originals lie meanwhile: a folder of its own on the same file system.
   */
  constructor(
    private readonly folder: string,
    private readonly aside: string,
  ) {}

  /** Folder and seed determine the change. */
  apply(kind: CorpusKind, seed: number): void {
    const change = this.change(this.count() + 1);
    change.begin();
    const files = regularFiles(this.folder);
    if (kind === 'files') change.applyFiles(planFiles(files, seed));
    else change.applyRegions(planRegions(files, seed));
  }

  /** All is as it was; modification times to the microsecond. Does nothing where nothing is changed. */
  undo(): void {
    for (let number = this.count(); number > 0; number -= 1) this.change(number).undo();
    rmSync(this.aside, { recursive: true, force: true });
  }

  private count(): number {
    return existsSync(this.aside) ? readdirSync(this.aside).length : 0;
  }

  private change(number: number): Change {
    return new Change(this.folder, join(this.aside, String(number)));
  }
}

class Change {
  constructor(
    private readonly folder: string,
    private readonly aside: string,
  ) {}

  begin(): void {
    mkdirSync(this.aside, { recursive: true });
  }

  undo(): void {
    if (existsSync(this.journalFile)) {
      const journal = JSON.parse(readFileSync(this.journalFile, 'utf8')) as Journal;
      if (journal.files) this.undoFiles(journal.files);
      if (journal.regions) this.undoRegions(journal.regions);
      for (const [path, seconds] of Object.entries(journal.times)) {
        utimesSync(this.at(path), seconds, seconds);
      }
    }
    rmSync(this.aside, { recursive: true });
  }

  applyFiles(plan: FilesPlan): void {
    const { edits, additions, deletions, renames } = plan;
    const paths = [...edits, ...additions, ...renames].map(({ path }) => path).concat(deletions);
    this.writeJournal({ files: plan }, new Set(paths.map((path) => dirname(path))));
    for (const [n, { path, at, removes, stamp }] of edits.entries()) {
      const { mode } = statSync(this.at(path));
      renameSync(this.at(path), this.original('edit', n));
      const old = readFileSync(this.original('edit', n));
      const content = [old.subarray(0, at), Buffer.from(stamp), old.subarray(at + removes)];
      writeFileSync(this.at(path), Buffer.concat(content), { mode });
    }
    for (const { path, of, stamp } of additions) {
      const content = [Buffer.from(stamp), readFileSync(this.at(of))];
      writeFileSync(this.at(path), Buffer.concat(content));
    }
    for (const [n, path] of deletions.entries()) {
      renameSync(this.at(path), this.original('deletion', n));
    }
    for (const { path, to } of renames) renameSync(this.at(path), this.at(to));
  }

  private undoFiles({ edits, additions, deletions, renames }: FilesPlan): void {
    for (const [n, { path }] of edits.entries()) moveBack(this.original('edit', n), this.at(path));
    for (const { path } of additions) rmSync(this.at(path), { force: true });
    for (const [n, path] of deletions.entries()) {
      moveBack(this.original('deletion', n), this.at(path));
    }
    for (const { path, to } of renames) moveBack(this.at(to), this.at(path));
  }

  applyRegions(plan: RegionsPlan): void {
    this.writeJournal({ regions: plan }, new Set(plan.regions.map(({ path }) => path)));
    const random = randomFrom(plan.seed);
    for (const [n, region] of plan.regions.entries()) {
      const old = Buffer.alloc(plan.bytes);
      this.withFile(region.path, (file) => readSync(file, old, 0, plan.bytes, region.offset));
      // Whole or not at all under its name: half of it must not be taken for the original.
      writeFileSync(`${this.original('region', n)}.new`, old);
      renameSync(`${this.original('region', n)}.new`, this.original('region', n));
      const content = randomBytes(plan.bytes, random);
      this.withFile(region.path, (file) => writeSync(file, content, 0, plan.bytes, region.offset));
    }
  }

  private undoRegions({ regions, bytes }: RegionsPlan): void {
    for (const [n, { path, offset }] of regions.entries()) {
      if (!existsSync(this.original('region', n))) continue;
      const content = readFileSync(this.original('region', n));
      this.withFile(path, (file) => writeSync(file, content, 0, bytes, offset));
    }
  }

  private writeJournal(plan: Omit<Journal, 'times'>, paths: ReadonlySet<string>): void {
    const times = [...paths].map((path) => [path, statSync(this.at(path)).mtimeMs / 1_000]);
    const journal: Journal = { ...plan, times: Object.fromEntries(times) };
    writeFileSync(`${this.journalFile}.new`, JSON.stringify(journal));
    renameSync(`${this.journalFile}.new`, this.journalFile);
  }

  private withFile(path: string, work: (file: number) => void): void {
    const file = openSync(this.at(path), 'r+');
    try {
      work(file);
    } finally {
      closeSync(file);
    }
  }

  private at(path: string): string {
    return join(this.folder, path);
  }

  private original(what: 'edit' | 'deletion' | 'region', n: number): string {
    return join(this.aside, `${what}-${n}`);
  }

  private get journalFile(): string {
    return join(this.aside, 'journal.json');
  }
}

/** Regular files below a folder, in an order that depends on their names alone. */
function regularFiles(folder: string, below = ''): CorpusFile[] {
  const entries = readdirSync(join(folder, below), { withFileTypes: true });
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(below, entry.name);
      // A link to a folder is no folder: what is behind it is found at its own place.
      if (entry.isDirectory()) return regularFiles(folder, path);
      return entry.isFile() ? [{ path, bytes: lstatSync(join(folder, path)).size }] : [];
    });
}

function moveBack(from: string, to: string): void {
  if (existsSync(from)) renameSync(from, to);
}

function randomBytes(count: number, random: () => number): Buffer {
  const words = Uint32Array.from({ length: count / 4 }, () => random() * 2 ** 32);
  return Buffer.from(words.buffer);
}
