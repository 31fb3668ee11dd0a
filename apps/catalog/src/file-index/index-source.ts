import { Injectable } from '@nestjs/common';
import { mediaOpenRead } from '#contracts/media.js';
import { Requests } from '#messaging/requests.js';
import { FragmentReaderClient } from '#transfer/fragment-reader-client.js';
import type { PendingIndex } from '../persistence/index-queue.js';

/** How long a media server that is there may keep its data port closed. */
const CONNECT_PATIENCE_MS = 2_000;

/** An index object that can be read once. */
export interface StoredIndex {
  readonly bytes: AsyncIterable<Buffer>;
  /** Ends the connection, whether or not all was read. */
  close(): void;
}

/** Reads file indexes from the media servers that hold them. */
@Injectable()
export class IndexSource {
  constructor(private readonly requests: Requests) {}

  /**
   * Opens the index object of a fragment. This, and reading it, throw `Unavailable` when the media
   * server cannot be reached, `PermanentError` when it cannot read the index.
   */
  async open(pending: PendingIndex, signal: AbortSignal): Promise<StoredIndex> {
    const { fragmentId, imageId, mediaId, indexBytes } = pending;
    const { address, token } = await this.requests.call(
      mediaOpenRead,
      { imageId },
      { instance: mediaId },
    );
    const reader = await FragmentReaderClient.connect({
      ...address,
      token,
      signal,
      patienceMs: CONNECT_PATIENCE_MS,
    });
    const bytes = reader.read({ fragmentId, object: 'index', offset: 0, length: indexBytes });
    return { bytes, close: () => reader.close() };
  }
}
