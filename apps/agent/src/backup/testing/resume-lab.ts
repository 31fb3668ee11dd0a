import { cpSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';

import { FramesHere } from '#archive/frames/frame-maker.js';
import { parseIndexLine, type IndexLine } from '#archive/index-line.js';

import { listingPartPath } from '../listing-file.js';
import type { DataFrame, FragmentSeal } from '../fragment-sink.js';
import { runBackup, type BackupOptions, type BackupResult } from '../run-backup.js';

import { shell } from './backup-lab.js';
import { FolderSink } from './folder-sink.js';
import { SOURCE_READERS } from './source-threads.js';

/** The sink of an attempt that is cut off when the fragment after `keep` begins, or at the end. */
class CutSink extends FolderSink {
  #kept: number;
  #sealing: Promise<void>[] = [];

  constructor(folder: string, fragmentBytesMax: number, cut: { begun: number; keep: number }) {
    super(folder, fragmentBytesMax, cut.begun);
    this.#kept = cut.keep - cut.begun;
  }

  override async frame(frame: DataFrame): Promise<void> {
    if (this.seals.length >= this.#kept) throw new Error('cut off');
    await super.frame(frame);
  }

  override seal(fragment: FragmentSeal): Promise<void> {
    const sealing = super.seal(fragment);
    this.#sealing.push(sealing);
    return sealing;
  }

  override finish(): Promise<void> {
    return Promise.reject(new Error('cut off'));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#sealing);
  }
}

export interface AttemptOptions extends Partial<BackupOptions> {
  /** Cut off behind this fragment; `Infinity`: when all is sent but the answer. */
  readonly keep?: number;
}

/** One image in a folder, made in several attempts. For tests. */
export class ResumeLab {
  constructor(
    readonly folder: string,
    readonly selections: readonly string[],
    private readonly options: {
      readonly fragmentBytesMax: number;
      readonly common: Partial<BackupOptions>;
    },
  ) {
    mkdirSync(folder, { recursive: true });
  }

  get listing(): string {
    return `${this.folder}/listing`;
  }

  /** Another image in the same state, as far as its first `fragments` fragments. */
  copy(folder: string, fragments: number): ResumeLab {
    const lab = new ResumeLab(folder, this.selections, this.options);
    for (const name of readdirSync(this.folder)) {
      const number = Number.parseInt(name, 10);
      if (Number.isNaN(number) || number <= fragments) {
        cpSync(`${this.folder}/${name}`, `${folder}/${name}`);
      }
    }
    return lab;
  }

  /** Goes on behind the fragments that are there. @returns undefined if it was cut off */
  async attempt({ keep, ...more }: AttemptOptions = {}): Promise<BackupResult | undefined> {
    const seals = this.seals();
    const begun = seals.length;
    const archiveOffset = seals.reduce((sum, seal) => sum + seal.archiveBytes, 0);
    const { fragmentBytesMax } = this.options;
    const sink =
      keep === undefined
        ? new FolderSink(this.folder, fragmentBytesMax, begun)
        : new CutSink(this.folder, fragmentBytesMax, { begun, keep });
    const running = runBackup({
      selections: this.selections,
      excludes: [],
      crossMountPoints: false,
      kind: 'full',
      newListingPath: this.listing,
      resume: { nextNumber: begun + 1, archiveOffset },
      frames: new FramesHere(1),
      readers: SOURCE_READERS,
      sink,
      ...this.options.common,
      ...more,
    });
    if (sink instanceof FolderSink && keep === undefined) return running;
    try {
      await running;
      throw new Error('It was not cut off');
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'cut off') throw error;
      await (sink as CutSink).settled();
      return undefined;
    }
  }

  /** What is sealed, in order. */
  seals(): FragmentSeal[] {
    return readdirSync(this.folder)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => JSON.parse(readFileSync(`${this.folder}/${name}`, 'utf8')) as FragmentSeal);
  }

  archive(): Buffer {
    return shell('cat "$1"/*.tar.zst | zstd -dcq', this.folder);
  }

  /** The index's lines as they stand. */
  index(): string[] {
    const text = shell('cat "$1"/*.idx.zst | zstd -dcq', this.folder).toString('latin1');
    return text.split('\n').slice(0, -1);
  }

  indexLines(): IndexLine[] {
    return this.index().map(parseIndexLine);
  }

  /** The listing, which is not in its place yet. */
  listingText(): string {
    return readFileSync(listingPartPath(this.listing), 'latin1');
  }
}
