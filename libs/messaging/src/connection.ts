import {
  jetstream,
  jetstreamManager,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream';
import {
  AuthorizationError,
  connect,
  type NatsConnection,
  type Status,
} from '@nats-io/transport-node';
import { inboxPrefix } from '#contracts/permissions.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { nkeyLogin } from './nkey-login.js';

export interface NatsOptions {
  readonly url: string;
  /** The user's name: it decides the private reply subjects. */
  readonly user: string;
  /** The user's nkey seed. Never logged. */
  readonly seed: string;
  /** Shown by the broker among its connections. */
  readonly clientName: string;
}

const CONNECT_MS_MAX = 5_000;
const PING_MS = 10_000;

/** The connection to the broker. Other code gets at NATS only through this library's classes. */
export class Nats {
  readonly jetstream: JetStreamClient;

  private constructor(
    readonly connection: NatsConnection,
    readonly user: string,
  ) {
    this.jetstream = jetstream(connection, { checkAPI: false } as never);
    void this.keepTrack();
  }

  /**
   * Connects, and from then on reconnects for ever. Throws `PermanentError` when the credentials are
   * refused or the address is no address, `Unavailable` when nobody answers there.
   */
  static async connect(options: NatsOptions): Promise<Nats> {
    const authenticator = nkeyLogin(options.seed);
    try {
      const connection = await connect({
        servers: options.url,
        name: options.clientName,
        authenticator,
        inboxPrefix: inboxPrefix(options.user),
        timeout: CONNECT_MS_MAX,
        // Else every request and publish makes an error beforehand, for its stack.
        noAsyncTraces: true,
        pingInterval: PING_MS,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
      });
      return new Nats(connection, options.user);
    } catch (error) {
      throw connectError(options.url, error);
    }
  }

  manager(): Promise<JetStreamManager> {
    return jetstreamManager(this.connection, { checkAPI: false });
  }

  /** True while the connection stands. */
  get connected(): boolean {
    return !this.connection.isClosed() && this.up;
  }

  private up = true;
  private readonly losses = new Set<() => void>();
  private readonly returns = new Set<() => void>();

  /** Reports drops, returns and refused publishes until the connection is closed. */
  async watch(report: (status: Status) => void): Promise<void> {
    for await (const status of this.connection.status()) report(status);
  }

  /**
   * Ends as `work` does; throws as soon as the connection breaks, and at once while it is down: an
   * answer cannot come any more, so there is nothing to wait for.
   */
  whileConnected<T>(work: () => Promise<T>): Promise<T> {
    if (!this.connected) return Promise.reject(new Error('the connection is down'));
    return new Promise((resolve, reject) => {
      const lost = () => reject(new Error('the connection broke'));
      this.losses.add(lost);
      void work()
        .then(resolve, reject)
        .finally(() => this.losses.delete(lost));
    });
  }

  /** Resolves when the connection stands, or `signal` fires. */
  untilConnected(signal: AbortSignal): Promise<void> {
    if (this.connected || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.returns.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.returns.add(done);
      signal.addEventListener('abort', done);
    });
  }

  private keepTrack(): Promise<void> {
    return this.watch(({ type }) => {
      if (type === 'disconnect') {
        this.up = false;
        for (const lost of this.losses) lost();
      } else if (type === 'reconnect') {
        this.up = true;
        for (const back of this.returns) back();
      }
    });
  }

  /** Resolves when everything published so far has reached the broker. */
  flush(): Promise<void> {
    return this.connection.flush();
  }

  async close(): Promise<void> {
    if (this.connection.isClosed()) return;
    // Without a server there is nobody to drain to, and drain would wait for one.
    if (this.up) await this.connection.drain().catch(() => undefined);
    else await this.connection.close();
  }
}

function connectError(url: string, error: unknown): Error {
  if (error instanceof AuthorizationError || /authoriz|authentic/i.test(messageOf(error))) {
    return new PermanentError(
      STATUS.accessNotAllowed,
      `nats-server at ${url} refused the credentials. Check that they belong to this cluster.`,
    );
  }
  if (/invalid url|invalid port|malformed/i.test(messageOf(error))) {
    return new PermanentError(
      STATUS.invalidParameter,
      `"${url}" is no NATS address; nats://HOST:PORT is.`,
      'natsUrl',
    );
  }
  return new Unavailable(
    `Nothing answers at ${url} (${messageOf(error)}). Is nats-server running there?`,
    STATUS.cannotConnect,
    { cause: error },
  );
}
