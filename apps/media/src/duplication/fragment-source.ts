import { manifestSchema, type Manifest } from '#archive/manifest.js';
import type { FragmentView } from '#contracts/image.js';
import type { ChunkSource } from '#storage/chunk-intake.js';
import { FragmentDamaged } from '#storage/errors.js';
import {
  READ_BYTES_MAX,
  type FragmentObject,
  type SealedFragmentReader,
} from '#storage/fragment-store.js';
import type { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import { remoteChunks } from './remote-chunks.js';

/** A fragment open at its source, here or on another media server: for reading, and nothing else. */
export interface FragmentSource {
  readonly view: FragmentView;
  readonly manifest: Manifest;
  /** Where it lies on this media server: the file system may copy it. */
  readonly local?: SealedFragmentReader;
  /** Where it is made of chunks, elsewhere: these. */
  readonly chunks?: ChunkSource | undefined;
  /**
   * The range in pieces, which are read and neither changed nor freed (`freeBytes`): they may be views of memory
   * that others read. Throws what `sourceFault` understands.
   * @param into As long as the range: pieces may come where they belong in it.
   */
  read(range: SourceRange, into?: Buffer): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

export interface SourceRange {
  readonly object: FragmentObject;
  readonly offset: number;
  readonly length: number;
}

export class LocalSource implements FragmentSource {
  readonly manifest: Manifest;

  constructor(
    readonly view: FragmentView,
    readonly local: SealedFragmentReader,
  ) {
    this.manifest = local.manifest;
  }

  async *read({ object, offset, length }: SourceRange, into?: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < length; at += READ_BYTES_MAX) {
      const bytes = Math.min(READ_BYTES_MAX, length - at);
      yield await this.local.read(object, offset + at, bytes, into?.subarray(at));
    }
  }

  close(): Promise<void> {
    return this.local.close();
  }
}

export class RemoteSource implements FragmentSource {
  private constructor(
    readonly view: FragmentView,
    readonly manifest: Manifest,
    private readonly client: FragmentReaderClient,
    readonly chunks: ChunkSource | undefined,
  ) {}

  static async open(view: FragmentView, client: FragmentReaderClient): Promise<RemoteSource> {
    const { fragmentId } = view;
    const pieces: Buffer[] = [];
    const whole = { fragmentId, object: 'manifest', offset: 0, length: 0 } as const;
    for await (const piece of client.read(whole)) pieces.push(Buffer.from(piece));
    const text = Buffer.concat(pieces).toString('utf8');
    const manifest = parse(fragmentId, text);
    return new RemoteSource(view, manifest, client, await remoteChunks(client, fragmentId));
  }

  read(range: SourceRange, into?: Buffer): AsyncIterable<Buffer> {
    return this.client.read({ fragmentId: this.view.fragmentId, ...range }, into);
  }

  /** The connection serves other fragments too. */
  async close(): Promise<void> {}
}

/** Throws `FragmentDamaged` for a source that is not what the catalog has committed. */
export function expectCommitted({ view, manifest }: FragmentSource): void {
  const keys = [
    'fragmentId',
    'imageId',
    'copy',
    'number',
    'archiveOffset',
    'archiveBytes',
  ] as const;
  const sums = ['storedBytes', 'digest', 'indexBytes', 'indexDigest', 'frames'] as const;
  for (const key of [...keys, ...sums]) {
    if (manifest[key] === view[key]) continue;
    throw new FragmentDamaged(view.fragmentId, `has another ${key} than the catalog has committed`);
  }
}

function parse(fragmentId: string, text: string): Manifest {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch {
    throw new FragmentDamaged(fragmentId, 'has a manifest that is none');
  }
}
