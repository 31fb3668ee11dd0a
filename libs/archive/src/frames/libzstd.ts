import { createRequire } from 'node:module';
import { zstdFrameAt } from './zstd-frame-end.js';
import type { Zstd } from './zstd-library.js';

/** As a version number of the library: 1.4.0, the first whose frames and functions are all stable. */
const VERSION_MIN = 10_400;
/** As many calls as libuv's pool has threads. What else is asked for waits; those who ask limit how much that is. */
const CALLS_MAX = 4;

/** A size, or an error above all sizes, for which koffi gives a bigint. */
type Size = number | bigint;

interface LibZstd {
  ZSTD_versionNumber(): number;
  ZSTD_compressBound(bytes: number): number;
  ZSTD_getErrorName(code: Size): string;
  ZSTD_compress: OnPool<[Buffer, number, Buffer, number, number]>;
  ZSTD_decompress: OnPool<[Buffer, number, Buffer, number]>;
}

interface OnPool<Arguments extends unknown[]> {
  async(...all: [...Arguments, (error: unknown, result: Size) => void]): void;
}

const PROTOTYPES = {
  ZSTD_versionNumber: 'unsigned int ZSTD_versionNumber()',
  ZSTD_compressBound: 'size_t ZSTD_compressBound(size_t bytes)',
  ZSTD_getErrorName: 'const char *ZSTD_getErrorName(size_t code)',
  ZSTD_compress:
    'size_t ZSTD_compress(void *into, size_t room, const void *data, size_t bytes, int level)',
  ZSTD_decompress:
    'size_t ZSTD_decompress(void *into, size_t room, const void *frames, size_t bytes)',
} as const satisfies Record<keyof LibZstd, string>;

/**
 * The Zstandard of the system (`libzstd.so.1`: every Debian has it, since dpkg needs it), by its stable functions, on
 * libuv's pool. It works in memory that is used again, and knows how much room a result needs, where the package has a
 * result grow. It keeps no context of the library from call to call: one would outlive the thread that it was made for.
 * Frames that do not state what they come to are left to `other`, where the caller gives no memory. Undefined where the
 * system has none.
 */
export function systemZstd(other: Pick<Zstd, 'decompress'>): Zstd | undefined {
  const library = load();
  return library && new SystemZstd(library, other);
}

/** Memory of one call at a time. */
class Place {
  /** Results of compression, before they have a size. */
  scratch = Buffer.alloc(0);
  /** What the call that is under way looks at: it must stay where it is. */
  held: readonly Buffer[] = [];
}

class SystemZstd implements Zstd {
  private readonly places = Array.from({ length: CALLS_MAX }, () => new Place());
  private readonly free = [...this.places];
  private readonly waiting: ((place: Place) => void)[] = [];

  constructor(
    private readonly library: LibZstd,
    private readonly other: Pick<Zstd, 'decompress'>,
  ) {}

  compress(data: Buffer, level: number): Promise<Buffer> {
    return this.inPlace(async (place) => {
      const room = this.library.ZSTD_compressBound(data.length);
      if (place.scratch.length < room) place.scratch = Buffer.allocUnsafeSlow(room);
      const { scratch } = place;
      place.held = [scratch, data];
      const bytes = await this.call((done) =>
        this.library.ZSTD_compress.async(
          ...([scratch, room, data, data.length, level] as const),
          done,
        ),
      );
      const frame = Buffer.allocUnsafeSlow(bytes);
      scratch.copy(frame, 0, 0, bytes);
      return frame;
    });
  }

  async decompress(frames: Buffer, into?: Buffer): Promise<Buffer> {
    const room = into?.length ?? contentBytes(frames);
    if (room === undefined) return this.other.decompress(frames);
    return this.inPlace(async (place) => {
      const content = into ?? Buffer.allocUnsafeSlow(room);
      place.held = [content, frames];
      const bytes = await this.call((done) =>
        this.library.ZSTD_decompress.async(
          ...([content, room, frames, frames.length] as const),
          done,
        ),
      );
      return content.subarray(0, bytes);
    });
  }

  private async call(
    start: (done: (error: unknown, result: Size) => void) => void,
  ): Promise<number> {
    const result = await new Promise<Size>((resolve, reject) => {
      start((error, size) => (error ? reject(error as Error) : resolve(size)));
    });
    if (typeof result === 'number') return result;
    throw new Error(this.library.ZSTD_getErrorName(result));
  }

  private async inPlace<T>(work: (place: Place) => Promise<T>): Promise<T> {
    const place =
      this.free.pop() ?? (await new Promise<Place>((resolve) => this.waiting.push(resolve)));
    try {
      return await work(place);
    } finally {
      place.held = [];
      const next = this.waiting.shift();
      if (next) next(place);
      else this.free.push(place);
    }
  }
}

/** Undefined where a frame does not say, or is none. */
function contentBytes(frames: Buffer): number | undefined {
  let bytes = 0;
  for (let at = 0; at < frames.length;) {
    const frame = zstdFrameAt(frames, at);
    if (frame?.contentBytes === undefined) return undefined;
    bytes += frame.contentBytes;
    at += frame.bytes;
  }
  return bytes;
}

function load(): LibZstd | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(name: string): { func(prototype: string): unknown };
    };
    const library = koffi.load('libzstd.so.1');
    const calls = Object.entries(PROTOTYPES).map(([name, text]) => [name, library.func(text)]);
    const zstd = Object.fromEntries(calls) as LibZstd;
    return zstd.ZSTD_versionNumber() >= VERSION_MIN ? zstd : undefined;
  } catch {
    return undefined; // A system without it, or one that koffi does not know.
  }
}
