import { parseIndexLine } from '#archive/index-line.js';
import { toPathText, type ByteString } from '#archive/path-text.js';
import { messageOf } from '#kernel/errors.js';

import { IndexCursor } from './index-cursor.js';
import { LINKED_FILES_MAX, mergeIndexes, type IndexItem } from '#archive/chain/index-merge.js';
import type { FallOver } from './fall-over.js';
import type { RestoreImage } from './restore-source.js';
import { mergeStreams } from './stream-merge.js';
import type { Selection } from './selection.js';

/**
 * One entry that is to be restored. A plain object: it goes to the writer's thread as it is. `parent` stands for a folder
 * that was not asked for but is on the way; it is made, if it is missing, from what the index says about it.
 */
export interface PlannedEntry {
  readonly kind: 'entry' | 'link' | 'parent';
  readonly image: number;
  readonly type: string;
  readonly path: ByteString;
  /** The entry's own place in its image's archive. Bytes. */
  readonly offset: number;
  readonly length: number;
  /** For a link: the place of the entry with the data, in the same image, and that entry's path. */
  readonly dataOffset: number;
  readonly dataLength: number;
  readonly target: ByteString;
  readonly size: number;
  readonly flags: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: string;
}

export interface PlanSource {
  readonly chain: readonly RestoreImage[];
  readonly sources: FallOver;
  readonly selection: Selection;
  readonly onDamage: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Reads and merges the chain's indexes and keeps what was selected, in archive order. Can be asked for again. */
export async function* planEntries(options: PlanSource): AsyncGenerator<PlannedEntry[]> {
  const { chain, sources, selection, onDamage, signal } = options;
  selection.rewind();
  const cursors = chain.map((image, i) => new IndexCursor(image, i, { sources, onDamage }));
  const places = new Places(chain);
  try {
    for await (const items of mergeStreams(streamsOf(cursors).map(mergeIndexes))) {
      signal?.throwIfAborted();
      const batch: PlannedEntry[] = [];
      for (const item of items) {
        const verdict = selection.verdict(item.path);
        if (verdict === 'not selected') continue;
        const entry = plannedEntry(item, verdict, onDamage);
        if (entry === undefined) continue;
        if (entry.kind === 'parent' || places.isSound(entry)) batch.push(entry);
        else
          onDamage(
            `${toPathText(entry.path)}: not restored: the index gives it an impossible place.`,
          );
      }
      if (batch.length > 0) yield batch;
      if (!selection.exhausted) continue;
      for (const cursor of cursors) await cursor.prove();
      return;
    }
  } finally {
    for (const cursor of cursors) await cursor.close();
  }
}

/** The cursors of each stream, in their order. */
function streamsOf(cursors: readonly IndexCursor[]): IndexCursor[][] {
  const streams = new Map<number, IndexCursor[]>();
  for (const cursor of cursors) {
    const { stream = 0 } = cursor.image;
    streams.set(stream, [...(streams.get(stream) ?? []), cursor]);
  }
  return [...streams.values()];
}

/** Entries lie one behind the other in each archive. What an index says otherwise is not followed: it could never be read. */
class Places {
  readonly #reached: number[];
  readonly #ends: number[];

  constructor(chain: readonly RestoreImage[]) {
    this.#reached = chain.map(() => 0);
    this.#ends = chain.map(({ fragments }) =>
      Math.max(0, ...fragments.map((one) => one.archiveOffset + one.archiveBytes)),
    );
  }

  isSound({ image, offset, length, dataOffset, dataLength }: PlannedEntry): boolean {
    const end = this.#ends[image] ?? 0;
    const sound =
      offset >= (this.#reached[image] ?? 0) &&
      length > 0 &&
      offset + length <= end &&
      dataLength > 0 &&
      dataOffset + dataLength <= end;
    if (sound) this.#reached[image] = offset + length;
    return sound;
  }
}

function plannedEntry(
  item: IndexItem,
  verdict: 'selected' | 'parent',
  onDamage: (text: string) => void,
): PlannedEntry | undefined {
  if (verdict === 'parent' && item.type !== 'd') return undefined;
  try {
    const line = parseIndexLine(item.line);
    return {
      kind: verdict === 'parent' ? 'parent' : line.type === 'h' ? 'link' : 'entry',
      image: item.image,
      type: line.type,
      path: line.path,
      offset: line.own.offset,
      length: line.own.length,
      dataOffset: line.offset,
      dataLength: line.length,
      target: line.type === 'h' ? line.target : '',
      size: line.size,
      flags: line.flags,
      mode: line.mode,
      uid: line.uid,
      gid: line.gid,
      mtimeNs: line.mtimeNs,
    };
  } catch (error) {
    onDamage(`${toPathText(item.path)}: not restored: ${messageOf(error)}`);
    return undefined;
  }
}

/** A plan up to this size is kept in memory, so that a small restore reads the indexes once. */
const KEPT_ENTRIES_MAX = 10_000;

/** What a first pass over the indexes tells. */
export interface RestoreSurvey {
  readonly files: number;
  readonly bytes: number;
  /** Which data is the goal of a selected hard link (`image:offset`). */
  readonly linked: ReadonlySet<string>;
  readonly linksLeftOut: number;
  /** The whole plan, where it is small. */
  readonly kept: readonly PlannedEntry[] | undefined;
}

/** The name of a linked file's data among all images. */
export function linkKey(image: number, dataOffset: number): string {
  return `${image}:${dataOffset}`;
}

/** Goes through the plan once: counts, and finds which files are linked (only the links' lines tell). */
export async function surveyPlan(options: PlanSource): Promise<RestoreSurvey> {
  let files = 0;
  let bytes = 0;
  let linksLeftOut = 0;
  const linked = new Set<string>();
  let kept: PlannedEntry[] | undefined = [];
  for await (const batch of planEntries(options)) {
    for (const entry of batch) {
      if (entry.kind === 'parent') continue;
      files++;
      if (entry.type === 'f') bytes = Math.min(bytes + entry.size, Number.MAX_SAFE_INTEGER);
      if (entry.kind !== 'link') continue;
      if (linked.size < LINKED_FILES_MAX) linked.add(linkKey(entry.image, entry.dataOffset));
      else if (!linked.has(linkKey(entry.image, entry.dataOffset))) linksLeftOut++;
    }
    if (kept !== undefined && kept.length + batch.length <= KEPT_ENTRIES_MAX) {
      for (const entry of batch) kept.push(ownStrings(entry));
    } else kept = undefined;
  }
  return { files, bytes, linked, linksLeftOut, kept };
}

/** A part of a string keeps the whole (a frame of lines) alive; copies do not. */
function ownStrings(entry: PlannedEntry): PlannedEntry {
  const copy = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');
  return {
    ...entry,
    path: copy(entry.path),
    target: copy(entry.target),
    mtimeNs: copy(entry.mtimeNs),
  };
}
