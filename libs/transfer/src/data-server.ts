import {
  createServer,
  type AddressInfo,
  type ListenOptions,
  type Server,
  type Socket,
} from 'node:net';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { readingInto } from './accepted-socket.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { ProtocolError, STATUS_UNKNOWN_TOKEN } from './errors.js';
import { prove } from './handshake.js';
import { localPath } from './local-path.js';
import { MESSAGE, MESSAGE_BYTES_MAX } from './message.js';
import { hello, parsePayload, type Hello } from './payloads.js';
import { SocketIntake } from './socket-intake.js';

/** HELLO and PROOF are small; a peer that has not shown a token may not make us keep more than this. */
const HELLO_BYTES_MAX = 4_096;
/**
 * Connections that have not shown a token yet. A further one takes the place of the oldest: who has a token shows it at
 * once, and must get in also where another user of the machine holds connections open that say nothing.
 */
const STRANGERS_MAX = 64;

/** What a HELLO leads to: a session that now owns the connection, or an ERROR. */
export type Admission =
  | { readonly session: (connection: Connection) => Promise<void> }
  | { readonly status: number; readonly message: string };

export interface DataServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Listens under this name, too (see `localPath`), for clients on the same host, where the system lets it. */
  readonly local?: string;
  /** The key of a session (`sessionKeyOf`) that a HELLO names; undefined: it is not known (yet). */
  readonly keyOf: (session: string) => Buffer | undefined;
  /** Asked when both ends have proved that they know the token, and takes it: a token is admitted once. */
  readonly admit: (hello: Hello) => Admission;
  /** Told of what a session threw that is neither for the peer nor the network's fault: a bug. */
  readonly onBug: (error: unknown) => void;
  readonly helloTimeoutMs?: number;
  readonly connection?: Partial<ConnectionOptions>;
  /** How to listen; TLS hands in its own server. */
  readonly listener?: (onSocket: (socket: Socket) => void) => Server;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** See `DataServerOptions`. */
  readonly local?: string;
  /** Why it does not listen under that name. */
  readonly withoutLocal?: string;
}

/**
 * Listens for data connections and hands each to the session that its token stands for. It
 * promises: no session without a client that has proved, within the time-out (10 s), to know the token, and was
 * admitted; what a session throws reaches the peer as ERROR with the status of the error (130 for a bug) before the connection
 * ends.
 */
export class DataServer {
  private readonly server: Server;
  private readonly localServer: Server | undefined;
  private readonly connections = new Set<Connection>();
  private readonly sessions = new Set<Promise<void>>();
  /** The oldest first. */
  private readonly strangers = new Set<Connection>();

  constructor(private readonly options: DataServerOptions) {
    const serve = (socket: Socket) => this.track(this.serve(socket));
    this.server = options.listener?.(serve) ?? createServer(serve);
    this.localServer = options.local === undefined ? undefined : createServer(serve);
  }

  /**
   * Resolves with the addresses that it listens on. Throws `PermanentError` if the port is in use. Without the name alone
   * all clients come through the network.
   */
  async listen(): Promise<Listening> {
    const { host, port, local } = this.options;
    const hint = 'Choose another port or stop what uses it.';
    await listening(this.server, { host, port }, `${host}:${port}`, hint);
    const address = { host, port: (this.server.address() as AddressInfo).port };
    if (local === undefined) return address;
    try {
      await listening(this.localServer!, { path: localPath(local) }, local, 'Is it Linux?');
      return { ...address, local };
    } catch (error) {
      return { ...address, withoutLocal: messageOf(error) };
    }
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.connections.size;
  }

  /** Takes no more connections and cuts the open ones; resolves when all sessions have ended. */
  async close(): Promise<void> {
    const closed = Promise.all([closing(this.server), closing(this.localServer)]);
    for (const connection of this.connections) connection.destroy();
    await closed;
    await Promise.all(this.sessions);
  }

  private track(session: Promise<void>): void {
    this.sessions.add(session);
    void session.finally(() => this.sessions.delete(session));
  }

  private async serve(socket: Socket): Promise<void> {
    const intake = new SocketIntake();
    const taken = readingInto(socket, intake.onread);
    const connection = new Connection(taken, this.options.connection, intake);
    this.connections.add(connection);
    void connection.closed().then(() => this.connections.delete(connection));
    try {
      const session = await this.welcome(connection);
      if (!session) return;
      await session(connection);
      connection.end();
    } catch (error) {
      this.explain(connection, error);
    }
  }

  private async welcome(
    connection: Connection,
  ): Promise<((connection: Connection) => Promise<void>) | undefined> {
    const [oldest] = this.strangers;
    if (oldest && this.strangers.size >= STRANGERS_MAX) {
      this.strangers.delete(oldest);
      oldest.destroy(new ProtocolError('No HELLO came, and there are too many that wait for one.'));
    }
    this.strangers.add(connection);
    const timer = setTimeout(() => {
      connection.destroy(new ProtocolError('No HELLO and PROOF came in time.'));
    }, this.options.helloTimeoutMs ?? 10_000);
    try {
      connection.limitMessages(HELLO_BYTES_MAX);
      const admission = await this.admission(connection);
      if (!admission) return undefined;
      if ('session' in admission) {
        connection.limitMessages(MESSAGE_BYTES_MAX);
        return admission.session;
      }
      connection.reject(admission.status, admission.message);
      return undefined;
    } finally {
      clearTimeout(timer);
      this.strangers.delete(connection);
    }
  }

  /** Undefined for who hung up. */
  private async admission(connection: Connection): Promise<Admission | undefined> {
    const message = await connection.receive();
    if (!message) return undefined;
    if (message.type !== MESSAGE.HELLO) throw new ProtocolError('A connection begins with HELLO.');
    const greeting = parsePayload(message, hello);
    const key = this.options.keyOf(greeting.session);
    if (!key) return { status: STATUS_UNKNOWN_TOKEN, message: 'the token is not known' };
    await prove(connection, greeting, key);
    return this.options.admit(greeting);
  }

  private explain(connection: Connection, error: unknown): void {
    if (error instanceof PermanentError || error instanceof Unavailable) {
      connection.reject(error.status, error.message);
      return;
    }
    connection.reject(STATUS.systemError, 'internal error');
    this.options.onBug(error);
  }
}

function listening(
  server: Server,
  where: ListenOptions,
  name: string,
  hint: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const message = `Cannot listen on ${name}: ${messageOf(error)}. ${hint}`;
      reject(new PermanentError(STATUS.cannotConnect, message));
    });
    server.listen(where, resolve);
  });
}

/** Resolves when it listens no more, also if it never did. */
function closing(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => (server ? server.close(() => resolve()) : resolve()));
}
