import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '#kernel/blake3.js';
import { encodeFrameTable } from '#archive/frames/frame-table.js';
import { INDEX_FRAME_BYTES_MAX } from '#archive/index-line.js';
import { instanceSubject } from '#contracts/contract.js';
import { mediaOpenRead } from '#contracts/media.js';
import { PermanentError } from '#kernel/errors.js';
import { randomToken } from '#kernel/ids.js';
import type { Nats } from '#messaging/connection.js';
import type { Connection } from '#transfer/connection.js';
import { DataServer } from '#transfer/data-server.js';
import { sessionKeyOf } from '#transfer/handshake.js';
import { MESSAGE } from '#transfer/message.js';
import { parsePayload, readRequest } from '#transfer/payloads.js';

const PIECE_BYTES = 1024 * 1024;

export interface IndexObject {
  readonly bytes: Buffer;
  /** BLAKE3, hex. */
  readonly digest: string;
}

/** An index object of these lines (byte strings, newline included), as an agent makes it. */
export async function indexObject(lines: readonly string[]): Promise<IndexObject> {
  const frames: Buffer[] = [];
  let text = '';
  for (const line of lines) {
    if (text.length + line.length > INDEX_FRAME_BYTES_MAX) {
      frames.push(await compress(Buffer.from(text, 'latin1'), 1));
      text = '';
    }
    text += line;
  }
  if (text !== '') frames.push(await compress(Buffer.from(text, 'latin1'), 1));
  const record = { storedBytes: 500, archiveBytes: 1_000, digest: Buffer.alloc(32, 7) };
  return sealed(Buffer.concat([...frames, encodeFrameTable([record])]));
}

export function sealed(bytes: Buffer): IndexObject {
  return { bytes, digest: blake3(bytes).toString('hex') };
}

/** A data port of a media server that has nothing but indexes, with its endpoint `open-read`. */
export class IndexPort {
  /** By fragment. */
  readonly objects = new Map<string, Buffer>();
  /** Fragments whose volume is not there. */
  readonly away = new Set<string>();
  /** How many of the next reads end in the middle, as when a cable is pulled. */
  cuts = 0;
  /** By the name of the session. */
  private readonly keys = new Map<string, Buffer>();
  private readonly server: DataServer;

  constructor() {
    this.server = new DataServer({
      host: '127.0.0.1',
      port: 0,
      keyOf: (session) => this.keys.get(session),
      admit: ({ session, role }) =>
        role === 'read' && this.keys.delete(session)
          ? { session: (connection) => this.serve(connection) }
          : { status: 46, message: 'server not allowed access' },
      onBug: (error) => {
        throw error;
      },
    });
  }

  async open(nats: Nats, media: string): Promise<void> {
    const address = await this.server.listen();
    nats.connection.subscribe(instanceSubject(mediaOpenRead, media), {
      callback: (_, message) => {
        const token = randomToken();
        const { session, key } = sessionKeyOf(token);
        this.keys.set(session, key);
        message.respond(JSON.stringify({ address, token }));
      },
    });
    await nats.flush();
  }

  async close(): Promise<void> {
    await this.server.close();
  }

  private async serve(connection: Connection): Promise<void> {
    await connection.sendJson(MESSAGE.READY, {});
    for (;;) {
      const message = await connection.receive();
      if (!message) return;
      const { fragmentId, offset, length } = parsePayload(message, readRequest);
      if (this.away.has(fragmentId))
        throw new PermanentError(83, 'The volume is not in the library.');
      const stored = this.objects.get(fragmentId);
      if (!stored) throw new PermanentError(85, `There is no fragment ${fragmentId}.`);
      const object = stored.subarray(offset, offset + length);
      const isCut = this.cuts > 0;
      const end = isCut ? object.length / 2 : object.length;
      for (let at = 0; at < end; at += PIECE_BYTES) {
        await connection.send(MESSAGE.DATA, object.subarray(at, Math.min(at + PIECE_BYTES, end)));
      }
      if (isCut) {
        this.cuts -= 1;
        return connection.end();
      }
      await connection.sendJson(MESSAGE.END, { size: object.length });
    }
  }
}
