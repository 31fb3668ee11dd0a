import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { FramesHere } from '#archive/frames/frame-maker.js';
import { parseIndexLine, type IndexLine } from '#archive/index-line.js';
import { toSystemPath } from '#archive/path-text.js';

import { commitListing } from '../listing-file.js';
import type { Note } from '../../domain/notes.js';
import { runBackup, type BackupOptions, type BackupResult } from '../run-backup.js';

import { FolderSink } from './folder-sink.js';
import { SOURCE_READERS } from './source-threads.js';

const PATH_BYTES_MAX = 4096;

export interface LabImage {
  readonly result: BackupResult;
  readonly sink: FolderSink;
  readonly notes: readonly Note[];
  /** Path of the committed listing. */
  readonly listing: string;
}

/** Where an image's fragments lie. */
export interface StoredImage {
  readonly sink: { readonly folder: string };
}

export type LabOptions = Partial<BackupOptions> & {
  readonly fragmentBytesMax?: number;
  readonly base?: LabImage;
};

const CLOCK_TICK_MS = 20;

/**
 * Waits until what has just changed is no longer so young that the next incremental stores it again: a tick of the
 * kernel's clock. A timer alone counts from when its loop last looked at the clock, which was before whatever was
 * done synchronously since.
 */
export async function clockTick(): Promise<void> {
  for (const from = performance.now(); performance.now() - from <= CLOCK_TICK_MS;) await sleep(1);
}

/** Makes backups into folders and restores them with `zstd` and GNU tar alone. For tests. */
export class BackupLab {
  #images = 0;

  /** @param folder an existing folder, removed by whoever made it */
  constructor(readonly folder: string) {}

  async backUp(selections: readonly string[], options: LabOptions = {}): Promise<LabImage> {
    const name = `${this.folder}/image-${++this.#images}`;
    const sink = new FolderSink(name, options.fragmentBytesMax);
    const listing = `${name}/listing`;
    const notes: Note[] = [];
    await clockTick();
    const result = await runBackup({
      selections,
      excludes: [],
      crossMountPoints: false,
      kind: options.base ? 'differential' : 'full',
      baseListingPath: options.base?.listing,
      newListingPath: listing,
      frames: new FramesHere(1),
      sink,
      onNote: (note) => notes.push(note),
      readers: SOURCE_READERS,
      readAheadAfter: 0,
      ...options,
    });
    if (result.status !== 71) await commitListing(listing);
    return { result, sink, notes, listing };
  }

  /** Extracts an image over a folder; what it deletes or changes into something else goes first. @returns where `path` is now */
  restore(image: StoredImage, into: string, path = ''): string {
    const target = `${this.folder}/${into}`;
    mkdirSync(target, { recursive: true });
    const lines = this.index(image);
    const stored = lines.filter(({ type }) => type !== 'x');
    const gone = lines.filter(({ type }) => type === 'x').reverse();
    for (const line of [...gone, ...stored]) {
      const path = toSystemPath(`${target}/${line.path}`);
      if (path.length >= PATH_BYTES_MAX) continue; // only tar reaches it, from folder to folder
      const there = lstatSync(path, { throwIfNoEntry: false });
      if (!there) continue;
      const isFolder = there.isDirectory();
      // An `x` is for its own path alone, from the inside out.
      if (line.type === 'x' && isFolder && readdirSync(path).length > 0) continue;
      if (line.type === 'x' || isFolder !== (line.type === 'd')) rmSync(path, { recursive: true });
    }
    const tar =
      'tar -xpf - -C "$2" --same-owner --numeric-owner --xattrs --xattrs-include=\'*\' --acls';
    shell(`cat "$1"/*.tar.zst | zstd -dcq | ${tar}`, image.sink.folder, target);
    return target + path;
  }

  /** All index lines of an image, in order. */
  index(image: StoredImage): IndexLine[] {
    const text = shell('cat "$1"/*.idx.zst | zstd -dcq', image.sink.folder).toString('latin1');
    return text.split('\n').slice(0, -1).map(parseIndexLine);
  }

  /** The archive, decompressed. */
  archive(image: LabImage): Buffer {
    return shell('cat "$1"/*.tar.zst | zstd -dcq', image.sink.folder);
  }
}

/** Runs a pipe of commands. @throws Error with what they complained about */
export function shell(script: string, ...args: string[]): Buffer {
  return execFileSync('bash', ['-o', 'pipefail', '-ec', script, 'bash', ...args], {
    maxBuffer: 1024 ** 3,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
