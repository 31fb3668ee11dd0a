import {
  InvalidArgumentError,
  NoRespondersError,
  RequestError,
  TimeoutError,
  type Msg,
} from '@nats-io/transport-node';
import type { z } from 'zod';
import {
  instanceSubject,
  type Endpoint,
  type InputOf,
  type ResponseOf,
} from '#contracts/contract.js';
import { InvalidInput, messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { Nats } from './connection.js';
import { ERROR_CODE_HEADER, errorBody } from './wire-error.js';

export interface CallOptions {
  /** Default 5,000. */
  readonly timeoutMs?: number;
  /** Which instance, for endpoints that every instance has for itself. */
  readonly instance?: string;
  /** Ends the waiting for an answer, not what the service does. */
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 5_000;

/** Asks services. The answer is checked against the contract. */
export class Requests {
  constructor(private readonly nats: Nats) {}

  /**
   * Throws `PermanentError` with the service's status and words when it refuses, or when the request
   * is larger than a message may be, `Unavailable` when nobody answers in time or `signal` fires; then nothing is known
   * of the outcome, and asking again is right.
   */
  async call<E extends Endpoint>(
    endpoint: E,
    input: InputOf<E>,
    options: CallOptions = {},
  ): Promise<ResponseOf<E>> {
    const subject = subjectFor(endpoint, options);
    const payload = JSON.stringify(endpoint.request.parse(input));
    const timeout = options.timeoutMs ?? TIMEOUT_MS;
    let reply: Msg;
    try {
      const asked = this.nats.connection.request(subject, payload, { timeout });
      reply = await unlessAborted(asked, options.signal);
    } catch (error) {
      throw requestFailed(endpoint, error, options.instance);
    }
    return parseReply(endpoint, reply);
  }

  /** Asks all instances at once and returns what came within `timeoutMs` (default 500). */
  async callAll<E extends Endpoint>(
    endpoint: E,
    input: InputOf<E>,
    timeoutMs = 500,
  ): Promise<ResponseOf<E>[]> {
    const payload = JSON.stringify(endpoint.request.parse(input));
    const replies = await this.nats.connection.requestMany(endpoint.subject, payload, {
      strategy: 'timer',
      maxWait: timeoutMs,
    });
    const answers: ResponseOf<E>[] = [];
    try {
      for await (const reply of replies) answers.push(parseReply(endpoint, reply));
    } catch (error) {
      if (!isNobodyThere(error)) throw error;
    }
    return answers;
  }
}

function subjectFor(endpoint: Endpoint, options: CallOptions): string {
  return endpoint.perInstance ? instanceSubject(endpoint, options.instance!) : endpoint.subject;
}

function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void answer.then(resolve, reject).then(() => signal.removeEventListener('abort', stop));
  });
}

/** True where no subscription at all heard a request. */
export function isNobodyThere(error: unknown): boolean {
  return (
    error instanceof NoRespondersError || (error instanceof RequestError && error.isNoResponders())
  );
}

function requestFailed(endpoint: Endpoint, error: unknown, instance?: string): Error {
  const what = `${endpoint.service} (${endpoint.name})`;
  if (isNobodyThere(error)) {
    if (instance === undefined)
      return new Unavailable(`No ${what} service answers: is it running?`);
    return new Unavailable(
      `No ${what} service named "${instance}" answers: is there one, and is it running?`,
    );
  }
  if (error instanceof InvalidArgumentError && error.message.includes('max_payload')) {
    return new InvalidInput(`The request to ${what} is larger than a message may be.`);
  }
  if (error instanceof TimeoutError || error instanceof RequestError) {
    return new Unavailable(`${what} did not answer in time.`, STATUS.connectionTimedOut, {
      cause: error,
    });
  }
  return new Unavailable(`${what} could not be asked: ${messageOf(error)}`, STATUS.cannotConnect, {
    cause: error,
  });
}

function parseReply<E extends Endpoint>(endpoint: E, reply: Msg): ResponseOf<E> {
  const body: unknown = reply.json();
  if (reply.headers?.has(ERROR_CODE_HEADER)) {
    const { error } = errorBody.parse(body);
    if (error.retryable) throw new Unavailable(error.message, error.status);
    throw new PermanentError(error.status, error.message, error.field);
  }
  return endpoint.response.parse(body) as z.output<E['response']>;
}
