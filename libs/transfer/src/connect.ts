import { connect as connectSocket, type OnReadOpts, type Socket } from 'node:net';
import { backoffMs, sleep } from '#kernel/backoff.js';
import { Cancelled, messageOf, Unavailable } from '#kernel/errors.js';
import { Connection, type ConnectionOptions } from './connection.js';
import {
  ConnectionBroken,
  PeerFailure,
  ProtocolError,
  ServerUnproven,
  STATUS_UNKNOWN_TOKEN,
} from './errors.js';
import { greet } from './handshake.js';
import { localPath } from './local-path.js';
import { MESSAGE, type Message } from './message.js';
import type { Hello } from './payloads.js';
import { SocketIntake } from './socket-intake.js';

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** What the port is called on its host. It is tried first, and on other hosts in vain. */
  readonly local?: string | undefined;
  /** It is not sent: both ends prove that they know it. */
  readonly token: string;
  /** Ends the wait and cuts the connection. */
  readonly signal?: AbortSignal;
  /** How long to go on while the server is away or does not know the token. Default 10 s. */
  readonly patienceMs?: number;
  readonly connection?: Partial<ConnectionOptions>;
  /** How to open a socket; TLS hands in its own. `onread` is an option for it. */
  readonly open?: (onread: OnReadOpts) => Socket;
}

const PATIENCE_MS = 10_000;
/** A server proves itself at once. Who goes on with PINGs instead is none. */
const PROOF_MS_MAX = 30_000;
const RETRY = { firstMs: 10, maxMs: 200, jitter: 0 };

/**
 * Opens a data connection: HELLO, PROOF, READY. Nothing but HELLO is sent to who does not prove that it knows the
 * token. The agent's task may overtake the media server's, so for a while a refused connection, a server that is
 * none or an unknown token is tried again. Throws `PeerFailure` (the server said no), or `Unavailable` (status 25,
 * it could not be reached in time).
 */
export async function openConnection(
  role: Hello['role'],
  options: ConnectOptions,
): Promise<{ connection: Connection; ready: Message }> {
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  // Tries count, too: a server that is hung takes connections, and each try waits for its word.
  const until = performance.now() + patienceMs;
  let { local } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await sayHello(role, { ...options, local });
    } catch (error) {
      // Its name may be another's by now, and its port still be its own.
      if (error instanceof ServerUnproven) local = undefined;
      const delayMs = backoffMs(attempt, RETRY, 1);
      if (!mayComeLater(error) || options.signal?.aborted) throw error;
      if (performance.now() + delayMs > until) throw error;
      await sleep(delayMs, options.signal);
    }
  }
}

function mayComeLater(error: unknown): boolean {
  if (error instanceof PeerFailure) return error.status === STATUS_UNKNOWN_TOKEN;
  return error instanceof Unavailable;
}

async function sayHello(
  role: Hello['role'],
  options: ConnectOptions,
): Promise<{ connection: Connection; ready: Message }> {
  const { host, port, token, signal } = options;
  if (signal?.aborted) throw new Cancelled();
  const intake = new SocketIntake();
  const { onread } = intake;
  const socket =
    options.open?.(onread) ??
    (await localSocket(options.local, onread)) ??
    connectSocket({ host, port, onread });
  const connection = new Connection(socket, options.connection, intake);
  const abort = () => connection.destroy(new Cancelled());
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  void connection.closed().then(() => signal?.removeEventListener('abort', abort));
  try {
    await connected(socket, `${host}:${port}`);
    await proven(connection, `${host}:${port}`, greet(connection, role, token));
    const ready = await connection.receive();
    if (!ready) throw new ConnectionBroken('network connection broken: the server hung up');
    if (ready.type !== MESSAGE.READY) throw new ProtocolError('The answer to PROOF is not READY.');
    return { connection, ready };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/**
 * Throws `ServerUnproven` for what only the real server may say: before its proof nothing is believed but that it
 * does not know the session, since that is said without one.
 */
async function proven(connection: Connection, where: string, greeting: Promise<void>) {
  const late = () => connection.destroy(new ServerUnproven(where, 'no PROOF came in time.'));
  const timer = setTimeout(late, PROOF_MS_MAX);
  try {
    await greeting;
  } catch (error) {
    const isUnknown = error instanceof PeerFailure && error.status === STATUS_UNKNOWN_TOKEN;
    const isSaid = error instanceof PeerFailure || error instanceof ProtocolError;
    throw isSaid && !isUnknown ? new ServerUnproven(where, error.message) : error;
  } finally {
    clearTimeout(timer);
  }
}

/** A connection that stands; none where the name is not known, and where so many wait that it takes no more. */
function localSocket(local: string | undefined, onread: OnReadOpts): Promise<Socket | undefined> {
  if (local === undefined) return Promise.resolve(undefined);
  const socket = connectSocket({ path: localPath(local), onread });
  return new Promise((resolve) => {
    const failed = () => resolve(undefined);
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

function connected(socket: Socket, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!socket.connecting) return resolve();
    const failed = (error: unknown) => {
      reject(new Unavailable(`cannot connect to ${where}: ${messageOf(error)}`));
    };
    socket.once('error', failed);
    socket.once('close', () => failed('closed'));
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve();
    });
  });
}
