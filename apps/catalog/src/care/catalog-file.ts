import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { z } from 'zod';
import { messageOf, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/**
 * A catalog in a file: gzip of text. A line of JSON says what it is; then, for each table, a line of
 * JSON with its name and columns, its rows as PostgreSQL's COPY writes them, and `\.`; a last line of
 * JSON with counts, so that a file that was cut off is known for one. `zcat` shows all of it.
 */
const head = z.object({
  holdfast: z.literal('catalog'),
  version: z.literal(1),
  /** The migrations of the schema. */
  schema: z.string(),
  catalogEpoch: z.string(),
  takenAt: z.iso.datetime(),
});
export type CatalogFileHead = z.infer<typeof head>;

const section = z.object({ table: z.string(), columns: z.array(z.string()).min(1) });
export type CatalogFileSection = z.infer<typeof section>;

const tail = z.object({ end: z.literal(true), images: z.int(), fragments: z.int() });
export type CatalogFileTail = z.infer<typeof tail>;

const END_OF_ROWS = Buffer.from('\\.\n');
/** Fast, and half of the size for a third of the time. */
const GZIP_LEVEL = 1;

/**
 * Writes a file under a temporary name; `finish` makes it durable and gives it its own. `section` and
 * `finish` throw `PermanentError` 14 where it cannot be written.
 */
export class CatalogFileWriter {
  private readonly gzip = createGzip({ level: GZIP_LEVEL });
  private readonly partial: string;
  /** Nothing is written any more. */
  private readonly ended: Promise<void>;
  private isBegun = false;
  private failure: PermanentError | undefined;

  constructor(private readonly path: string) {
    this.partial = `${path}.partial`;
    const file = createWriteStream(this.partial, { mode: 0o600, flags: 'wx' });
    file.once('open', () => (this.isBegun = true));
    this.ended = pipeline(this.gzip, file).catch((error: unknown) => {
      this.failure = notWritable(dirname(path), error);
    });
  }

  head(content: CatalogFileHead): Promise<void> {
    return this.json(content);
  }

  /**
   * One table: `rows` gives COPY's text. They are read to their end even where the file takes no more of
   * them: a COPY that is left in its middle never ends, nor does what its connection is asked for next.
   */
  async section(content: CatalogFileSection, rows: Readable): Promise<void> {
    await this.json(content);
    for await (const piece of rows) await this.write(piece as Buffer);
    await this.write(END_OF_ROWS);
    this.requireWritable();
  }

  async finish(content: CatalogFileTail): Promise<void> {
    await this.json(content);
    this.gzip.end();
    await this.ended;
    this.requireWritable();
    try {
      await synced(this.partial);
      await rename(this.partial, this.path);
      await synced(dirname(this.path));
    } catch (error) {
      throw notWritable(dirname(this.path), error);
    }
  }

  /** Leaves nothing of a file that was not finished. */
  async discard(): Promise<void> {
    this.gzip.destroy();
    await this.ended;
    if (this.isBegun) await rm(this.partial, { force: true });
  }

  private json(content: object): Promise<void> {
    return this.write(Buffer.from(`${JSON.stringify(content)}\n`));
  }

  /** Does nothing once the file takes no more. */
  private async write(piece: Buffer): Promise<void> {
    if (this.gzip.destroyed || this.gzip.write(piece)) return;
    await Promise.race([new Promise((resolve) => this.gzip.once('drain', resolve)), this.ended]);
  }

  private requireWritable(): void {
    if (this.failure) throw this.failure;
  }
}

async function synced(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}

/** What to do about a folder that takes no catalog backup. */
export function notWritable(folder: string, error: unknown): PermanentError {
  return new PermanentError(
    STATUS.fileWriteFailed,
    `No catalog backup can be written to ${folder}: ${messageOf(error)}. Make room there and ` +
      'let the catalog write, or name another folder with HOLDFAST_CATALOG_BACKUP_FOLDER.',
  );
}

/** Where a reader of a file puts what it finds. */
export interface CatalogFileTarget {
  head(content: CatalogFileHead): Promise<void>;
  /** The stream that takes a table's rows. */
  section(content: CatalogFileSection): Promise<Writable>;
}

/**
 * Reads a whole file. Throws `PermanentError` 20 where it is none, was cut off or has changed; what the
 * target has got by then is not the whole.
 */
export async function readCatalogFile(
  path: string,
  target: CatalogFileTarget,
): Promise<CatalogFileTail> {
  const lines = linesOf(path);
  try {
    await target.head(head.parse(await nextJson(lines)));
    for (;;) {
      const content = await nextJson(lines);
      const end = tail.safeParse(content);
      if (end.success) return end.data;
      const sink = await target.section(section.parse(content));
      await pipeline(Readable.from(rowsOf(lines)), sink);
    }
  } catch (error) {
    if (error instanceof PermanentError) throw error;
    const isContent = error instanceof z.ZodError || error instanceof SyntaxError;
    const what = isContent ? 'it does not hold what belongs there' : messageOf(error);
    throw new PermanentError(
      STATUS.invalidParameter,
      `${path} is no whole catalog backup: ${what}.`,
      'path',
    );
  } finally {
    await lines.return(undefined);
  }
}

type Lines = AsyncGenerator<Buffer, void>;

async function nextJson(lines: Lines): Promise<unknown> {
  const line = await lines.next();
  if (line.done) throw new Error('it ends early');
  return JSON.parse(line.value.toString('utf8'));
}

/** The rows of one table, many in a piece. */
async function* rowsOf(lines: Lines): AsyncGenerator<Buffer> {
  let rows: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const line = await lines.next();
    if (line.done) throw new Error('it ends early');
    if (line.value.equals(END_OF_ROWS)) break;
    rows.push(line.value);
    bytes += line.value.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(rows);
    rows = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(rows);
}

const PIECE_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** Each with its newline. Not Node's readline, which takes other characters for line ends, too. */
async function* linesOf(path: string): Lines {
  const text = createReadStream(path).on('error', (error) => gunzip.destroy(error));
  const gunzip = text.pipe(createGunzip());
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of gunzip) {
    const piece: Buffer =
      rest.length > 0 ? Buffer.concat([rest, chunk as Buffer]) : (chunk as Buffer);
    let at = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, at)) {
      yield piece.subarray(at, end + 1);
      at = end + 1;
    }
    rest = piece.subarray(at);
  }
}
