import { hostname } from 'node:os';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { headers, type Msg, type Subscription } from '@nats-io/transport-node';
import { isObservable, lastValueFrom } from 'rxjs';
import { instanceSubject, type Endpoint } from '#contracts/contract.js';
import { isInbox } from '#contracts/permissions.js';
import { InvalidInput, PermanentError, Unavailable } from '#kernel/errors.js';
import type { Nats } from '../connection.js';
import { EndpointStats } from './micro-stats.js';
import { parseInput } from '../validation.js';
import { ERROR_CODE_HEADER, ERROR_HEADER, toErrorBody } from '../wire-error.js';

export interface MicroServiceIdentity {
  /** Service name: `jobs`, `catalog` ... */
  readonly name: string;
  /** Which instance: a media server's id, a client's name, or a made-up id. */
  readonly instance: string;
  /** Semantic version. */
  readonly version: string;
  readonly description: string;
  /** Unique id of this start of the service. */
  readonly id: string;
  readonly startedAt: Date;
}

const QUEUE_GROUP = 'q';
/** Characters of a subject that a stranger chose. */
const SHOWN_MAX = 100;

type Invoke = (request: unknown) => Promise<unknown>;

/**
 * Serves a Nest application's endpoints as a NATS micro service (ADR-32): raw JSON in and out, an
 * empty body means `{}`, errors as headers and body, `$SRV.PING|INFO|STATS`.
 *
 * A request that wants its answer elsewhere than in an inbox is neither served nor answered: the service may
 * publish there in the requester's stead, for example `{}` to what deletes a stream.
 *
 * Nest's own NATS transport wraps payloads in a private envelope that `nats req` cannot make.
 */
export class MicroServer extends Server implements CustomTransportStrategy {
  private readonly subscriptions: Subscription[] = [];
  private readonly endpoints: EndpointStats[] = [];
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly nats: Nats,
    private readonly identity: MicroServiceIdentity,
  ) {
    super();
  }

  listen(callback: () => void): void {
    for (const handler of this.messageHandlers.values()) {
      const endpoint = handler.extras?.['endpoint'] as Endpoint;
      this.serve(endpoint, async (request) => {
        const result: unknown = await handler(request, {});
        return isObservable(result) ? lastValueFrom(result) : result;
      });
    }
    this.answerDiscovery();
    callback();
  }

  /** Stops taking requests and waits for those that run. */
  async close(): Promise<void> {
    await Promise.all(this.subscriptions.map((subscription) => subscription.drain()));
    await Promise.all(this.running);
  }

  on(): never {
    throw new Error('MicroServer has no events of its own; see Nats.watch');
  }

  unwrap<T>(): T {
    return this.nats.connection as T;
  }

  private serve(endpoint: Endpoint, invoke: Invoke): void {
    const subject = endpoint.perInstance
      ? instanceSubject(endpoint, this.identity.instance)
      : endpoint.subject;
    const queue = endpoint.perInstance || endpoint.allAnswer ? '' : QUEUE_GROUP;
    const stats = new EndpointStats(endpoint, subject, queue);
    this.endpoints.push(stats);
    this.subscribe(subject, queue, (msg) => this.answer(stats, invoke, msg));
  }

  private subscribe(subject: string, queue: string, handle: (msg: Msg) => Promise<void>): void {
    const subscription = this.nats.connection.subscribe(subject, {
      ...(queue ? { queue } : {}),
      callback: (error, msg) => {
        if (error) return this.logger.error(`subscription ${subject}: ${error.message}`);
        if (msg.reply && !isInbox(msg.reply)) {
          const where = `"${msg.reply.slice(0, SHOWN_MAX)}"`;
          return this.logger.warn(
            `A request on ${subject} wants its answer on ${where}: not served`,
          );
        }
        const run = handle(msg).catch((failure: unknown) => this.logger.error(failure));
        this.running.add(run);
        void run.finally(() => this.running.delete(run));
      },
    });
    this.subscriptions.push(subscription);
  }

  private async answer(stats: EndpointStats, invoke: Invoke, msg: Msg): Promise<void> {
    const begun = process.hrtime.bigint();
    try {
      const request = parseInput(stats.endpoint.request, bodyOf(msg));
      const response = await invoke(request);
      msg.respond(JSON.stringify(response));
      stats.record(Number(process.hrtime.bigint() - begun));
    } catch (error) {
      const body = toErrorBody(error);
      if (!(error instanceof PermanentError || error instanceof Unavailable)) {
        this.logger.error(error instanceof Error ? (error.stack ?? error.message) : error);
      }
      const head = headers();
      head.set(ERROR_HEADER, body.error.message.replace(/[\r\n]+/g, ' '));
      head.set(ERROR_CODE_HEADER, String(body.error.status));
      msg.respond(JSON.stringify(body), { headers: head });
      stats.record(Number(process.hrtime.bigint() - begun), body.error.message);
    }
  }

  private answerDiscovery(): void {
    const { name, id } = this.identity;
    for (const [verb, describe] of Object.entries({
      PING: () => ({}),
      INFO: () => ({
        description: this.identity.description,
        endpoints: this.endpoints.map((endpoint) => endpoint.info()),
      }),
      STATS: () => ({
        started: this.identity.startedAt.toISOString(),
        endpoints: this.endpoints.map((endpoint) => endpoint.stats()),
      }),
    })) {
      const type = `io.nats.micro.v1.${verb.toLowerCase()}_response`;
      for (const subject of [
        `$SRV.${verb}`,
        `$SRV.${verb}.${name}`,
        `$SRV.${verb}.${name}.${id}`,
      ]) {
        this.subscribe(subject, '', async (msg) => {
          msg.respond(JSON.stringify({ type, ...this.describeSelf(), ...describe() }));
        });
      }
    }
  }

  private describeSelf() {
    const { name, id, version, instance, startedAt } = this.identity;
    const started = startedAt.toISOString();
    const metadata = { instance, host: hostname(), pid: String(process.pid), started };
    return { name, id, version, metadata };
  }
}

function bodyOf(msg: Msg): unknown {
  if (msg.data.length === 0) return {};
  try {
    return msg.json();
  } catch {
    throw new InvalidInput('The request is not JSON. Send an object, such as {}.');
  }
}
