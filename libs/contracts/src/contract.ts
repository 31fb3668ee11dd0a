import type { z } from 'zod';

/** A request that a service answers: raw JSON in, raw JSON out, on `subject`. */
export interface Endpoint<Req extends z.ZodType = z.ZodType, Res extends z.ZodType = z.ZodType> {
  readonly service: string;
  readonly name: string;
  /** One sentence for `nats micro info` and the subject reference. */
  readonly description: string;
  /** `hf.svc.v1.<service>.<name>`; an endpoint of one instance has its id as the last token. */
  readonly subject: string;
  /** True: every instance has a subject of its own, see `instanceSubject`. */
  readonly perInstance: boolean;
  /** True: all instances answer the same request, not one of them. */
  readonly allAnswer: boolean;
  readonly request: Req;
  readonly response: Res;
}

/** A message on a stream. Ids are the last tokens of its subject. */
export interface Message<T extends z.ZodType = z.ZodType> {
  /** Subject without the ids, without a trailing dot. */
  readonly prefix: string;
  /** Names of the id tokens, in order. */
  readonly ids: readonly string[];
  readonly description: string;
  readonly schema: T;
}

export interface EndpointOptions<Req extends z.ZodType, Res extends z.ZodType> {
  readonly description: string;
  readonly request: Req;
  readonly response: Res;
  readonly perInstance?: boolean;
  readonly allAnswer?: boolean;
}

export function endpoint<Req extends z.ZodType, Res extends z.ZodType>(
  service: string,
  name: string,
  options: EndpointOptions<Req, Res>,
): Endpoint<Req, Res> {
  return {
    service,
    name,
    subject: `hf.svc.v1.${service}.${name}`,
    perInstance: options.perInstance ?? false,
    allAnswer: options.allAnswer ?? false,
    description: options.description,
    request: options.request,
    response: options.response,
  };
}

export function message<T extends z.ZodType>(
  prefix: string,
  ids: readonly string[],
  options: { readonly description: string; readonly schema: T },
): Message<T> {
  return { prefix, ids, ...options };
}

const PLAIN_TOKEN = /^[A-Za-z0-9_-]+$/;

/**
 * A name as one token of a subject: dots become `_`, and whatever else NATS gives a meaning to is
 * written as `=` and two hex digits.
 */
export function subjectToken(id: string): string {
  if (PLAIN_TOKEN.test(id)) return id;
  return id
    .replaceAll('.', '_')
    .replace(/[^A-Za-z0-9_-]/g, (char) => `=${Buffer.from(char).toString('hex')}`);
}

/** The subject of a message, with its ids at the end. */
export function subjectOf(contract: Message, ...ids: readonly string[]): string {
  return [contract.prefix, ...ids.map(subjectToken)].join('.');
}

/** The subject of an endpoint of one instance (a media server, an agent). */
export function instanceSubject(contract: Endpoint, instance: string): string {
  return `${contract.subject}.${subjectToken(instance)}`;
}

export type RequestOf<E extends Endpoint> = z.output<E['request']>;
export type InputOf<E extends Endpoint> = z.input<E['request']>;
export type ResponseOf<E extends Endpoint> = z.output<E['response']>;
export type PayloadOf<M extends Message> = z.output<M['schema']>;
