import { open, stat, type FileHandle } from 'node:fs/promises';

import { Blake3Hasher } from '@napi-rs/blake-hash';

import { codeOf, messageOf, PermanentError } from '#kernel/errors.js';
import type { ImageKind } from '#contracts/names.js';
import { STATUS } from '#kernel/status.js';

import { checkpointPath, listingPartPath, syncFolderOf } from './listing-file.js';
import type { OpenEntry, ReaderState } from './reader-state.js';

const VERSION = 1;
const BLOCK_BYTES = 256 * 1024;

/** What holds for an image from its first fragment to its last, whatever else has changed meanwhile. */
export interface ImagePremises {
  /** What the backup became. */
  readonly kind: ImageKind;
  /** Name of the listing that it builds on; null for a full. */
  readonly base: string | null;
}

/** Behind which fragment to go on. */
export interface ResumeAt {
  readonly nextNumber: number;
  readonly archiveOffset: number;
}

/** There is no way to go on with this image: only a new one can be made. Status 50. */
export class CannotResume extends PermanentError {
  override readonly name = 'CannotResume';

  constructor(why: string) {
    super(STATUS.clientAborted, `This image cannot be gone on with: ${why}`);
  }
}

/**
 * Where a backup can go on, for each fragment whose end was reached: a file beside the listing, to which lines are
 * only ever added. `premises` come first; `+` and `-` are the journal of hard links; `R` is the map of
 * a sparse file; `S`, with a digest over the lines since the one before, is the reader's state behind a fragment.
 */
export class CheckpointFile {
  readonly #hasher = new Blake3Hasher();
  #end = 0;
  #rangesOf = -1;
  #listing: FileHandle | undefined;
  #working: Promise<void> = Promise.resolve();

  private constructor(
    private readonly listingPath: string,
    private readonly file: FileHandle,
  ) {}

  /** Begins a new one in the place of any other. */
  static async create(listingPath: string, premises: ImagePremises): Promise<CheckpointFile> {
    const file = await open(checkpointPath(listingPath), 'w', 0o600);
    const own = new CheckpointFile(listingPath, file);
    await own.#add(`P\t${JSON.stringify({ version: VERSION, ...premises })}\n`);
    return own;
  }

  /**
   * Opens the one of an interrupted backup, and forgets what came behind `at`.
   * @throws CannotResume if there is none, it is damaged, or it does not know this place
   */
  static async goOn(
    listingPath: string,
    at: ResumeAt,
  ): Promise<{ checkpoints: CheckpointFile; premises: ImagePremises; state: ReaderState }> {
    const found = await findCheckpoint(listingPath, at.nextNumber - 1);
    const { state } = found;
    if (state.position !== at.archiveOffset) {
      throw new CannotResume(
        `fragment ${at.nextNumber} begins at byte ${state.position} of the archive for the agent, ` +
          `and at ${at.archiveOffset} for the catalog.`,
      );
    }
    await checkListing(listingPath, state.listingBytes);
    const file = await open(checkpointPath(listingPath), 'r+');
    await file.truncate(found.end);
    const checkpoints = new CheckpointFile(listingPath, file);
    checkpoints.#end = found.end;
    return { checkpoints, premises: found.premises, state };
  }

  /** Adds lines of the journal of hard links, of the frame that was taken last. */
  addLinks(lines: string): Promise<void> {
    return lines === '' ? Promise.resolve() : this.#work(() => this.#add(lines));
  }

  /** Resolves when it is sure, even should the power fail, that a backup can go on behind this fragment. */
  write(number: number, state: ReaderState): Promise<void> {
    return this.#work(() => this.#write(number, state));
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#working.catch(() => undefined); // whoever asked for it gets the error
    await this.#listing?.close();
    await this.file.close();
  }

  #work(work: () => Promise<void>): Promise<void> {
    this.#working = work();
    return this.#working;
  }

  async #write(number: number, state: ReaderState): Promise<void> {
    const { entry } = state;
    if (entry?.ranges && this.#rangesOf !== entry.offset) {
      await this.#add(`R\t${bytesText(entry.ranges)}\n`);
      this.#rangesOf = entry.offset;
    }
    const rest = bytesText(state.rest);
    const text = JSON.stringify({
      ...state,
      rest,
      entry: entry && { ...entry, ranges: undefined, sparse: entry.ranges !== undefined },
    });
    this.#hasher.update(lineBytes(`${number}\t${text}`));
    const digest = this.#hasher.digest('hex');
    this.#hasher.reset();
    await this.#append(lineBytes(`S\t${number}\t${digest}\t${text}\n`));
    await this.#sync();
  }

  async #add(lines: string): Promise<void> {
    const bytes = lineBytes(lines);
    this.#hasher.update(bytes);
    await this.#append(bytes);
  }

  async #append(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.file.write(bytes, at, bytes.length - at, this.#end);
      at += bytesWritten;
      this.#end += bytesWritten;
    }
  }

  /** The reading thread has handed the listing to the system; the first time, its name counts too. */
  async #sync(): Promise<void> {
    const isFirst = this.#listing === undefined;
    this.#listing ??= await open(listingPartPath(this.listingPath), 'r+');
    await Promise.all([this.#listing.datasync(), this.file.datasync()]);
    if (isFirst) await syncFolderOf(this.listingPath);
  }
}

interface Found {
  readonly premises: ImagePremises;
  readonly state: ReaderState;
  /** Bytes of the file up to the end of its line. */
  readonly end: number;
}

async function findCheckpoint(listingPath: string, number: number): Promise<Found> {
  let premises: ImagePremises | undefined;
  let ranges = '';
  let end = 0;
  const hasher = new Blake3Hasher();
  try {
    for await (const line of linesOf(checkpointPath(listingPath))) {
      end += line.length + 1;
      const [kind, value = '', digest, text = ''] = line.split('\t', kindOf(line) === 'S' ? 4 : 2);
      if (kind !== 'S') {
        hasher.update(lineBytes(`${line}\n`));
        if (kind === 'P') premises = premisesOf(value);
        if (kind === 'R') ranges = value;
        continue;
      }
      hasher.update(lineBytes(`${value}\t${text}`));
      if (hasher.digest('hex') !== digest) break;
      hasher.reset();
      if (Number(value) === number && premises) {
        return { premises, state: stateOf(text, ranges), end };
      }
    }
  } catch (error) {
    if (error instanceof CannotResume) throw error;
    if (codeOf(error) !== 'ENOENT') {
      throw new CannotResume(`the agent cannot read how: ${messageOf(error)}.`);
    }
  }
  throw new CannotResume(`the agent does not know what lies behind fragment ${number}.`);
}

/** Whole lines, without their newlines. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const file = await open(path, 'r');
  try {
    const block = Buffer.alloc(BLOCK_BYTES);
    for (let rest = ''; ;) {
      const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, null);
      if (bytesRead === 0) return;
      const lines = (rest + block.toString('latin1', 0, bytesRead)).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
  } finally {
    await file.close();
  }
}

function kindOf(line: string): string {
  return line.slice(0, 1);
}

function premisesOf(text: string): ImagePremises {
  const premises = JSON.parse(text) as ImagePremises & { version: number };
  if (premises.version === VERSION) return premises;
  throw new CannotResume(`it was begun by another version of the agent.`);
}

/** Its digest has said that this is what was written. */
function stateOf(text: string, ranges: string): ReaderState {
  const state = JSON.parse(text) as Omit<ReaderState, 'rest' | 'entry'> & {
    rest: string;
    entry?: OpenEntry & { sparse: boolean };
  };
  const { entry } = state;
  return {
    ...state,
    rest: Buffer.from(state.rest, 'base64'),
    entry: entry && { ...entry, ranges: entry.sparse ? rangesOf(ranges) : undefined },
  };
}

function rangesOf(text: string): Float64Array {
  const bytes = Buffer.from(text, 'base64');
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  return new Float64Array(shared);
}

async function checkListing(listingPath: string, bytes: number): Promise<void> {
  let size: number;
  try {
    ({ size } = await stat(listingPartPath(listingPath)));
  } catch (error) {
    throw new CannotResume(`its listing is lost: ${messageOf(error)}.`);
  }
  if (size < bytes) throw new CannotResume('its listing was cut short.');
}

function bytesText(bytes: ArrayBufferView): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** All of it is byte strings. */
function lineBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
