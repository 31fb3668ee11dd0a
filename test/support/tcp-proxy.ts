import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

const LOOPBACK = '127.0.0.1';
/** What one direction of a connection holds back at most; then its sender feels it. */
const HELD_BYTES_MAX = 1024 * 1024;

/** `toTarget`: what clients say. `toClient`: what they are answered. */
export type Direction = 'toTarget' | 'toClient';
const BOTH: readonly Direction[] = ['toTarget', 'toClient'];

/** How the link is now; all connections look at it. */
class Link {
  isCut = false;
  delayMs = 0;
  readonly frozen = new Set<Direction>();
  readonly bytes: Record<Direction, number> = { toTarget: 0, toClient: 0 };
}

/**
 * A link between two processes that a test can break: connect to `port` instead of the target's.
 *
 * - `cut`: every connection is reset, new ones too, until `restore`.
 * - `freeze`: connections stand and nothing passes, as with a pulled cable, until `thaw`; then all
 *   that was held back arrives.
 * - `delay`: everything takes that much longer, in each direction.
 */
export class TcpProxy {
  private readonly link = new Link();
  private readonly pairs = new Set<Pair>();

  private constructor(
    private readonly server: Server,
    private readonly target: { readonly host: string; readonly port: number },
  ) {}

  /** Listens on a free port of 127.0.0.1. The target need not be there yet. */
  static async start(target: { readonly host?: string; readonly port: number }): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    const proxy = new TcpProxy(server, { host: LOOPBACK, ...target });
    server.on('connection', (client) => proxy.accept(client));
    server.listen(0, LOOPBACK);
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections that stand now. */
  get connections(): number {
    return this.pairs.size;
  }

  /** What has passed since the start, in bytes. */
  passed(direction: Direction): number {
    return this.link.bytes[direction];
  }

  cut(): void {
    this.link.isCut = true;
    for (const pair of this.pairs) pair.reset();
  }

  restore(): void {
    this.link.isCut = false;
  }

  freeze(directions: readonly Direction[] = BOTH): void {
    for (const direction of directions) this.link.frozen.add(direction);
  }

  thaw(): void {
    this.link.frozen.clear();
    for (const pair of this.pairs) pair.resume();
  }

  /** For what comes from now on. */
  delay(ms: number): void {
    this.link.delayMs = ms;
  }

  /** Resets every connection and listens no more. */
  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(client: Socket): void {
    if (this.link.isCut) return reset(client);
    const target = connect({ ...this.target, allowHalfOpen: true });
    const pair = new Pair(client, target, this.link);
    this.pairs.add(pair);
    pair.whenOver(() => this.pairs.delete(pair));
  }
}

/** A client's connection and ours to the target. */
class Pair {
  private readonly streams: readonly Stream[];

  constructor(
    private readonly client: Socket,
    private readonly target: Socket,
    link: Link,
  ) {
    this.streams = [
      new Stream(client, target, { link, direction: 'toTarget' }),
      new Stream(target, client, { link, direction: 'toClient' }),
    ];
    for (const socket of [client, target]) socket.setNoDelay(true);
  }

  whenOver(tell: () => void): void {
    let open = 2;
    for (const socket of [this.client, this.target]) {
      socket.once('close', () => {
        open -= 1;
        if (open === 0) tell();
      });
    }
  }

  reset(): void {
    for (const stream of this.streams) stream.forget();
    for (const socket of [this.client, this.target]) reset(socket);
  }

  resume(): void {
    for (const stream of this.streams) stream.pass();
  }
}

/**
 * With a reset, where that is possible: Node never closes a socket that it was to reset while its end
 * was on the way, and the process then spins for ever when it ends.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

/** What passes: bytes, the end of the stream, or that the connection broke. */
type Item = { readonly dueAt: number; readonly what: Buffer | 'end' | 'reset' };

/** One direction of a connection, in order. */
class Stream {
  private held: Item[] = [];
  private heldBytes = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly place: { readonly link: Link; readonly direction: Direction },
  ) {
    from.on('data', (bytes: Buffer) => this.hold(bytes));
    from.once('end', () => this.hold('end'));
    // Its 'close' follows, and passes it on.
    from.on('error', () => undefined);
    from.once('close', (hadError) => {
      if (hadError) this.hold('reset');
    });
    to.on('drain', () => this.pass());
  }

  forget(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.held = [];
  }

  pass(): void {
    const { link, direction } = this.place;
    while (this.held.length > 0 && !link.frozen.has(direction) && !this.to.writableNeedDrain) {
      const { dueAt, what } = this.held[0]!;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) {
        this.timer ??= setTimeout(() => {
          this.timer = undefined;
          this.pass();
        }, waitMs);
        return;
      }
      this.held.shift();
      this.deliver(what);
    }
    if (this.heldBytes < HELD_BYTES_MAX) this.from.resume();
  }

  private hold(what: Item['what']): void {
    this.held.push({ dueAt: performance.now() + this.place.link.delayMs, what });
    if (typeof what !== 'string') this.heldBytes += what.length;
    if (this.heldBytes >= HELD_BYTES_MAX) this.from.pause();
    this.pass();
  }

  private deliver(what: Item['what']): void {
    if (what === 'end') return void this.to.end();
    if (what === 'reset') return reset(this.to);
    this.heldBytes -= what.length;
    this.place.link.bytes[this.place.direction] += what.length;
    this.to.write(what);
  }
}
